//! The doorbell between the feed's thread and Python's event loop: an eventfd that is readable while something waits.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the feed wakes Python through an eventfd, which only Linux has; build it on Linux (or in its container)"
);

#[derive(Debug)]
pub struct Wake {
    fd: OwnedFd,
}

impl Wake {
    pub fn new() -> io::Result<Wake> {
        // SAFETY: eventfd takes no pointers; a result that is not negative is a new descriptor that nobody else owns.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just created, see above.
        Ok(Wake { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    pub fn fileno(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Makes the descriptor readable. It fails only when the counter is full, and then it is readable already.
    pub fn ring(&self) {
        let one: u64 = 1;
        // SAFETY: the pointer is to eight readable bytes that live through the call.
        unsafe { libc::write(self.fd.as_raw_fd(), std::ptr::addr_of!(one).cast(), 8) };
    }

    /// Makes the descriptor unreadable until the next ring. It fails only when nothing rang.
    pub fn hush(&self) {
        let mut count: u64 = 0;
        // SAFETY: the pointer is to eight writable bytes that live through the call.
        unsafe { libc::read(self.fd.as_raw_fd(), std::ptr::addr_of_mut!(count).cast(), 8) };
    }
}
