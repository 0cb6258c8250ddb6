//! What Python sees: `Feed` (socket, thread, descriptor) and `Session` (the same decisions under a clock of the caller's).
//! Both speak in the same tuples, whose meaning is written once, in `trading_system/_feed.pyi`.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};

use crate::event::{Candle, Cut, Event, Output};
use crate::outbox::Outbox;
use crate::proxy::Proxy;
use crate::session::{check_names, numbered, Patience, Session, Symbol};
use crate::shards::run;
use crate::shell::{Command, Settings};
use crate::venue::{BadArgument, Venue, SILENCE_MS};

impl From<BadArgument> for PyErr {
    fn from(error: BadArgument) -> PyErr {
        PyValueError::new_err(error.to_string())
    }
}

/// The symbols as Python texts, made once: every tuple about a symbol shares them. A symbol keeps its number for good.
#[derive(Default)]
struct Names {
    texts: Vec<Py<PyString>>,
    numbers: HashMap<String, usize>,
}

impl Names {
    fn number(&mut self, py: Python<'_>, names: Vec<String>) -> Vec<Symbol> {
        names
            .into_iter()
            .map(|name| {
                let number = *self.numbers.entry(name.clone()).or_insert_with(|| {
                    self.texts.push(PyString::new(py, &name).unbind());
                    self.texts.len() - 1
                });
                Symbol { number, name }
            })
            .collect()
    }
}

fn tuple<'py>(py: Python<'py>, names: &[Py<PyString>], event: &Event) -> PyResult<Bound<'py, PyTuple>> {
    let of_candle = |kind: &Bound<'py, PyString>, symbol: usize, candle: &Candle| {
        let Candle { open_time, open, high, low, close, volume, event_time } = *candle;
        (kind, &names[symbol], open_time, open, high, low, close, volume, event_time).into_pyobject(py)
    };
    match event {
        Event::Candle { symbol, candle } => of_candle(intern!(py, "candle"), *symbol, candle),
        Event::Running { symbol, candle } => of_candle(intern!(py, "running"), *symbol, candle),
        Event::Mark { symbol, time, price } => (intern!(py, "mark"), &names[*symbol], time, price).into_pyobject(py),
        Event::Refused { symbol, message } => {
            let refused = PyList::new(py, [&names[*symbol]])?;
            (intern!(py, "refused"), refused, message).into_pyobject(py)
        }
        Event::Connected => (intern!(py, "connected"),).into_pyobject(py),
        Event::Subscribed { streams } => (intern!(py, "subscribed"), streams).into_pyobject(py),
        Event::Cut(cut) => (intern!(py, "cut"), cut.to_string()).into_pyobject(py),
        Event::BadMark { reason } => (intern!(py, "bad_mark"), reason).into_pyobject(py),
        Event::BadFrame { reason } => (intern!(py, "bad_frame"), reason).into_pyobject(py),
        Event::Silent { symbol: Some(symbol), ms } => (intern!(py, "silent"), &names[*symbol], ms).into_pyobject(py),
        Event::Silent { symbol: None, ms } => (intern!(py, "silent"), intern!(py, ""), ms).into_pyobject(py),
        Event::Leaving => (intern!(py, "leaving"),).into_pyobject(py),
        Event::RotationFailed(cut) => (intern!(py, "rotation_failed"), cut.to_string()).into_pyobject(py),
    }
}

fn tuples<'py>(
    py: Python<'py>,
    names: &[Py<PyString>],
    events: impl ExactSizeIterator<Item = Event>,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for event in events {
        list.append(tuple(py, names, &event)?)?;
    }
    Ok(list)
}

/// The line to one exchange: a thread with a socket that reconnects by itself, and a queue that rings.
///
/// `fileno()` is readable while events wait: `loop.add_reader(feed.fileno(), on_events)`, where `on_events` calls
/// `drain()`. What is only shown, running candles and mark prices, rings four times a second at the most, the newest of
/// each symbol; everything else rings at once. When Python is slow the socket waits; nothing else is ever dropped.
/// While the running candles say that no minute is about to close, the thread sleeps 20 ms after each reading; with
/// `silence_ms=0` it never does.
///
/// `url` begins with ws:// or wss:// and must be the routed one (`/market/ws` or `/market/stream`): the unrouted
/// address acknowledges and stays silent. `symbols` as frames spell them (BTCUSDT), 1 to 1024, each once.
/// `silence_ms` and `ack_timeout_ms` may be 0: wait for ever, for a market that stands still between steps. Without
/// `silence_ms`, candles may keep away for a minute, which is all that a venue owes, and half a minute of grace.
/// A PING leaves every `ping_ms`; nothing at all for `pong_timeout_ms` (0: never) after one ends the connection.
/// `mark_price` asks for mark prices where the venue has any; `proxy` is `http://[user:password@]host:port` or socks5://.
/// More symbols than `symbols_per_connection` (0: what the venue takes) are shared out over several connections.
/// `rotate_after_s`: between which ages a connection is replaced, new one first; the default is 20 to 23 h, and the
/// venue cuts at 24 h.
/// `queue_limit` is the number of waiting events (two hours of a full connection) at which the socket waits.
/// Raises ValueError naming the argument, what was expected and what it was.
#[pyclass(frozen, module = "trading_system._feed")]
struct Feed {
    names: Mutex<Names>,
    outbox: Arc<Outbox>,
    commands: Mutex<Option<UnboundedSender<Command>>>,
    thread: Mutex<Life>,
}

enum Life {
    Unborn(Box<Settings>, UnboundedReceiver<Command>),
    Running(JoinHandle<()>),
    Over,
}

impl Feed {
    fn life(&self) -> std::sync::MutexGuard<'_, Life> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, command: Command) {
        if let Some(commands) = &*self.commands.lock().unwrap_or_else(PoisonError::into_inner) {
            // A feed that is over listens to nothing more.
            let _ = commands.send(command);
        }
    }

    fn end(&self) {
        let life = std::mem::replace(&mut *self.life(), Life::Over);
        if let Life::Running(thread) = life {
            *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = None;
            // `run` catches and reports a panic itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // The thread never asks for the interpreter, so waiting for it here cannot lock up.
        self.end();
    }
}

#[pymethods]
impl Feed {
    #[new]
    #[pyo3(signature = (url, symbols, *, silence_ms=None, ack_timeout_ms=5_000, pong_timeout_ms=15_000,
        backoff_cap_ms=30_000, rotate_after_s=(72_000.0, 82_800.0), ping_ms=15_000, queue_limit=131_072,
        venue="binance_usdm", mark_price=false, proxy="", symbols_per_connection=0))]
    #[allow(clippy::too_many_arguments)] // keywords in Python, each with a default
    fn new(
        py: Python<'_>,
        url: String,
        symbols: Vec<String>,
        silence_ms: Option<i64>,
        ack_timeout_ms: i64,
        pong_timeout_ms: i64,
        backoff_cap_ms: u64,
        rotate_after_s: (f64, f64),
        ping_ms: u64,
        queue_limit: usize,
        venue: &str,
        mark_price: bool,
        proxy: &str,
        symbols_per_connection: usize,
    ) -> PyResult<Feed> {
        let venue = Venue::named(venue)?;
        let patience = Patience { silence_ms: silence_ms.unwrap_or(SILENCE_MS), ack_timeout_ms, pong_timeout_ms };
        check_names(symbols.iter().map(String::as_str))?;
        let mut names = Names::default();
        let settings = Settings {
            url,
            venue,
            symbols: names.number(py, symbols),
            patience,
            marks: mark_price && venue.has_marks(),
            proxy: if proxy.is_empty() { None } else { Some(Proxy::parse(proxy)?) },
            symbols_per_connection,
            backoff_cap_ms,
            rotate_after_s,
            ping_ms,
        };
        settings.check()?;
        let outbox = Outbox::new(settings.symbols.len(), queue_limit.max(1))
            .map_err(|error| PyOSError::new_err(format!("the feed got no eventfd: {error}")))?;
        let (sender, receiver) = unbounded_channel();
        Ok(Feed {
            names: Mutex::new(names),
            outbox: Arc::new(outbox),
            commands: Mutex::new(Some(sender)),
            thread: Mutex::new(Life::Unborn(Box::new(settings), receiver)),
        })
    }

    /// Begin, in a thread of the feed's own. Raises RuntimeError on a second start.
    fn start(&self) -> PyResult<()> {
        let mut life = self.life();
        let (settings, commands) = match std::mem::replace(&mut *life, Life::Over) {
            Life::Unborn(settings, commands) => (settings, commands),
            other => {
                *life = other;
                return Err(PyRuntimeError::new_err("start: expected a feed that was never started; make a new Feed"));
            }
        };
        let outbox = Arc::clone(&self.outbox);
        let thread = std::thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || run(*settings, outbox, commands))
            .map_err(|error| PyOSError::new_err(format!("the feed got no thread: {error}")))?;
        *life = Life::Running(thread);
        Ok(())
    }

    /// Listen to more symbols, before or after `start`; a "subscribed" follows. Those that are known stay as they are.
    /// Raises ValueError for a name that no stream can have.
    fn add(&self, py: Python<'_>, symbols: Vec<String>) -> PyResult<()> {
        check_names(symbols.iter().map(String::as_str))?;
        let symbols = self.names.lock().unwrap_or_else(PoisonError::into_inner).number(py, symbols);
        self.tell(Command::Add(symbols));
        Ok(())
    }

    /// Listen to fewer symbols; what of them is under way is forgotten.
    fn remove(&self, symbols: Vec<String>) {
        self.tell(Command::Remove(symbols));
    }

    /// Close the connection and join the thread; at once if there is none. Waiting events stay to be drained.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.end());
    }

    /// Whether the feed's thread lives: false after `stop`, and after a "cut" whose reason begins with crashed.
    fn is_running(&self) -> bool {
        matches!(&*self.life(), Life::Running(thread) if !thread.is_finished())
    }

    /// The descriptor that is readable while events wait. It belongs to the feed: never close it.
    fn fileno(&self) -> RawFd {
        self.outbox.fileno()
    }

    /// Take all waiting events, oldest first; empty if there are none.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        tuples(py, &names.texts, self.outbox.drain().into_iter())
    }
}

type Answer<'py> = (Bound<'py, PyList>, Vec<String>);

/// One connection's conversation without socket and clock: each call returns (events, texts to send).
///
/// `now_ms` is any clock that does not go backwards. A "cut" asks the caller to close the connection; afterwards
/// nothing is read until `on_open`, which begins the next connection. Arguments and errors as those of `Feed`.
#[pyclass(name = "Session", module = "trading_system._feed")]
struct PySession {
    session: Session,
    names: Names,
    output: Output,
}

impl PySession {
    fn answer<'py>(&mut self, py: Python<'py>) -> PyResult<Answer<'py>> {
        let events = tuples(py, &self.names.texts, self.output.events.drain(..))?;
        Ok((events, std::mem::take(&mut self.output.sends)))
    }
}

#[pymethods]
impl PySession {
    #[new]
    #[pyo3(signature = (symbols, *, silence_ms=None, ack_timeout_ms=5_000, venue="binance_usdm",
        mark_price=false))]
    fn new(
        py: Python<'_>,
        symbols: Vec<String>,
        silence_ms: Option<i64>,
        ack_timeout_ms: i64,
        venue: &str,
        mark_price: bool,
    ) -> PyResult<PySession> {
        // PING frames are the socket's, which is not here.
        let patience = Patience { silence_ms: silence_ms.unwrap_or(SILENCE_MS), ack_timeout_ms, pong_timeout_ms: 0 };
        let session = Session::of(Venue::named(venue)?, numbered(symbols), patience, mark_price)?;
        let mut names = Names::default();
        names.number(py, session.symbols());
        Ok(PySession { names, session, output: Output::default() })
    }

    /// Ask for more symbols.
    fn add<'py>(&mut self, py: Python<'py>, now_ms: i64, symbols: Vec<String>) -> PyResult<Answer<'py>> {
        check_names(symbols.iter().map(String::as_str))?;
        let symbols = self.names.number(py, symbols);
        self.session.add(now_ms, symbols, &mut self.output);
        self.answer(py)
    }

    /// Take symbols back.
    fn remove<'py>(&mut self, py: Python<'py>, now_ms: i64, symbols: Vec<String>) -> PyResult<Answer<'py>> {
        self.session.remove(now_ms, &symbols, &mut self.output);
        self.answer(py)
    }

    /// Begin a conversation after the handshake: subscribe, as far as the venue's pace allows at once.
    fn on_open<'py>(&mut self, py: Python<'py>, now_ms: i64) -> PyResult<Answer<'py>> {
        self.session.on_open(now_ms, &mut self.output);
        self.answer(py)
    }

    /// Read one whole message.
    fn on_bytes<'py>(&mut self, py: Python<'py>, now_ms: i64, message: &[u8]) -> PyResult<Answer<'py>> {
        self.session.on_bytes(now_ms, message, &mut self.output);
        self.answer(py)
    }

    /// Send what pacing held back, and give up what is silent for too long.
    fn on_tick<'py>(&mut self, py: Python<'py>, now_ms: i64) -> PyResult<Answer<'py>> {
        self.session.on_tick(now_ms, &mut self.output);
        self.answer(py)
    }

    /// Note that the other side is gone; a "cut" unless one was told already.
    fn on_close<'py>(&mut self, py: Python<'py>, reason: String) -> PyResult<Answer<'py>> {
        self.session.on_close(Cut::Closed(reason), &mut self.output);
        self.answer(py)
    }

    /// Whether the conversation goes on: from `on_open` to the first "cut".
    #[getter]
    fn is_open(&self) -> bool {
        self.session.is_open()
    }
}

#[pymodule]
fn _feed(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Feed>()?;
    module.add_class::<PySession>()
}
