//! The way through a proxy: HTTP CONNECT or SOCKS5. Whoever dials gets a stream on which the venue's TLS begins.
//!
//! Its password stands in no error and no event.

use std::fmt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::venue::BadArgument;

/// An answer of a proxy is short; what is longer is none.
const LONGEST_ANSWER: usize = 8_192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

/// Where the proxy is and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    user: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} proxy at {}:{}", self.kind, self.host, self.port)
    }
}

impl Proxy {
    /// `http://[user:password@]host:port` or `socks5://…`. Errors: `BadArgument`, which never shows what it was: it may
    /// hold a password.
    pub fn parse(text: &str) -> Result<Proxy, BadArgument> {
        let bad = || BadArgument {
            name: "proxy",
            expected: "http://host:port or socks5://host:port, with user:password@ if it asks for one".to_owned(),
            was: "something else".to_owned(),
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let kind = match scheme {
            "http" => Kind::Http,
            "socks5" | "socks5h" => Kind::Socks5,
            _ => return Err(bad()),
        };
        let rest = rest.trim_end_matches('/');
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => {
                let (name, password) = user.split_once(':').ok_or_else(bad)?;
                (Some((decoded(name).ok_or_else(bad)?, decoded(password).ok_or_else(bad)?)), place)
            }
            None => (None, rest),
        };
        let (host, port) = place.rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| bad())?;
        let short = |text: &str| !text.is_empty() && text.len() < 256;
        if !short(host) || user.as_ref().is_some_and(|(name, password)| !short(name) || !short(password)) {
            return Err(bad());
        }
        Ok(Proxy { kind, host: host.trim_matches(['[', ']']).to_owned(), port, user })
    }

    /// A stream to `host` at `port`, by way of the proxy. Errors: a sentence for a log.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let failed = |error: std::io::Error| format!("the proxy at {}:{}: {error}", self.host, self.port);
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let answered = match self.kind {
            Kind::Http => self.http(&mut stream, host, port).await,
            Kind::Socks5 => self.socks5(&mut stream, host, port).await,
        };
        match answered.map_err(failed)? {
            None => Ok(stream),
            Some(refusal) => Err(format!("the proxy at {}:{} refused: {refusal}", self.host, self.port)),
        }
    }

    async fn http(&self, stream: &mut TcpStream, host: &str, port: u16) -> std::io::Result<Option<String>> {
        let identity = self.user.as_ref().map_or_else(String::new, |(name, password)| {
            format!("Proxy-Authorization: Basic {}\r\n", base64(format!("{name}:{password}").as_bytes()))
        });
        let asked = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{identity}\r\n");
        stream.write_all(asked.as_bytes()).await?;
        // Byte by byte: what follows the empty line is the venue's.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= LONGEST_ANSWER {
                return Ok(Some("an answer without an end".to_owned()));
            }
            answer.push(stream.read_u8().await?);
        }
        let text = String::from_utf8_lossy(&answer);
        let first: String = text.lines().next().unwrap_or("").chars().take(80).flat_map(char::escape_debug).collect();
        let accepted = first.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
        Ok((!accepted).then_some(first))
    }

    /// RFC 1928, and RFC 1929 for a name and a password.
    async fn socks5(&self, stream: &mut TcpStream, host: &str, port: u16) -> std::io::Result<Option<String>> {
        let method: u8 = if self.user.is_some() { 2 } else { 0 };
        stream.write_all(&[5, 1, method]).await?;
        let mut chosen = [0; 2];
        stream.read_exact(&mut chosen).await?;
        if chosen != [5, method] {
            let wish = if method == 2 { "a name and a password" } else { "nobody in particular" };
            return Ok(Some(format!("it does not take {wish}")));
        }
        if let Some((name, password)) = &self.user {
            let mut said = vec![1, name.len() as u8];
            said.extend_from_slice(name.as_bytes());
            said.push(password.len() as u8);
            said.extend_from_slice(password.as_bytes());
            stream.write_all(&said).await?;
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).await?;
            if answer[1] != 0 {
                return Ok(Some("the name or the password".to_owned()));
            }
        }
        // The name is resolved by the proxy.
        let mut asked = vec![5, 1, 0, 3, host.len() as u8];
        asked.extend_from_slice(host.as_bytes());
        asked.extend_from_slice(&port.to_be_bytes());
        stream.write_all(&asked).await?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        if head[1] != 0 {
            return Ok(Some(format!("code {} of SOCKS5", head[1])));
        }
        let length = match head[3] {
            1 => 4,
            4 => 16,
            _ => usize::from(stream.read_u8().await?),
        };
        let mut bound = vec![0; length + 2];
        stream.read_exact(&mut bound).await?;
        Ok(None)
    }
}

/// A part of a URL with its `%40` and the like undone; None for bytes that are no text.
fn decoded(part: &str) -> Option<String> {
    let bytes = part.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = part.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).ok()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = if place <= chunk.len() { LETTERS[(word >> (18 - 6 * place) & 63) as usize] } else { b'=' };
            text.push(char::from(letter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64, Proxy};

    #[test]
    fn a_proxy_is_read_and_its_password_is_never_shown() {
        let proxy = Proxy::parse("http://me:se:cret@10.0.0.1:3128").expect("a proxy");
        assert_eq!(proxy.user, Some(("me".into(), "se:cret".into())));
        assert!(!format!("{proxy:?}").contains("cret"));
        let encoded = Proxy::parse("socks5://m%65:p%40ss%2fw%3a100%@10.0.0.1:1080").expect("a proxy");
        assert_eq!(encoded.user, Some(("me".into(), "p@ss/w:100%".into())));
        assert_eq!(Proxy::parse("socks5://[::1]:1080/").expect("a proxy").host, "::1");
        for text in ["", "http://", "ftp://a:1", "http://a", "http://a:x", "http://secret@a:1", "socks5://:1"] {
            let error = Proxy::parse(text).expect_err("refused").to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
