//! The wire of Bybit v5, market data: how to subscribe to one-minute klines and what a frame says. Decides whether a
//! frame is sound; what to do about an unsound one is left to the session.

use std::borrow::Cow;

use crate::fields::{fill, read_candle, read_price, read_text, read_time, Kline, Words};
use crate::scan::{Scalar, Scanner};
use crate::venue::{BadFrame, Frame, Refusal};

const KLINE: &str = "kline.1.";
const TICKER: &str = "tickers.";

/// What stands in a refusal of topics that the connection gets already; such a refusal takes the whole message.
pub const ALREADY: &str = "already subscribed";

/// The venue cuts who is idle for ten minutes and asks for a sign every twenty seconds.
pub const PING_EVERY_MS: i64 = 20_000;

const WORDS: Words = Words {
    minute: "1",
    sent: "ts",
    open_time: "data.start",
    close_time: "data.end",
    interval: "data.interval",
    open: "data.open",
    high: "data.high",
    low: "data.low",
    close: "data.close",
    volume: "data.volume",
    closed: "data.confirm",
};

/// The names of a symbol's minutes and of its ticker, in which the mark price comes; spot has none.
pub fn streams(symbol: &str) -> (String, String) {
    (format!("{KLINE}{symbol}"), format!("{TICKER}{symbol}"))
}

/// `{"req_id":"1","op":"subscribe","args":["kline.1.BTCUSDT"]}`
///
/// The names hold no character that JSON would escape (the session refuses such symbols).
pub fn ask(id: u64, subscribes: bool, streams: &[&str]) -> String {
    let operation = if subscribes { "subscribe" } else { "unsubscribe" };
    let topics: Vec<String> = streams.iter().map(|stream| format!("\"{stream}\"")).collect();
    format!("{{\"req_id\":\"{id}\",\"op\":\"{operation}\",\"args\":[{}]}}", topics.join(","))
}

/// What the client says so that it is not taken for dead.
pub fn ping() -> String {
    "{\"op\":\"ping\"}".to_owned()
}

#[derive(Default)]
struct Message<'a> {
    topic: Scalar<'a>,
    sent: Scalar<'a>,
    operation: Scalar<'a>,
    success: Scalar<'a>,
    says: Scalar<'a>,
    id: Scalar<'a>,
    repeated_id: Scalar<'a>,
    repeated_topics: Vec<String>,
    klines: Vec<Kline<'a>>,
    mark: Scalar<'a>,
}

/// Reads one message; `say` hears what it says, in order: once, or for each candle of a list.
///
/// A kline: `{"topic":"kline.1.BTCUSDT","type":"snapshot","ts":1672324988882,"data":[{"start":1672324800000,
/// "end":1672324859999,"interval":"1","open":"16649.5","close":"16677","high":"16677","low":"16608",
/// "volume":"2.081","turnover":"34666.4005","confirm":false,"timestamp":1672324988882}]}`. The list may hold the minute that has closed and the one that runs: closed ones
/// are said first, the older before the younger, and an unsound one takes none of the others with it.
/// Answers: `{"success":true,"ret_msg":"","op":"subscribe","conn_id":"…","req_id":"1"}`, and
/// `{"success":false,"ret_msg":"error:handler not found,topic:kline.1.X","op":"subscribe","conn_id":"…","req_id":"1"}`, or
/// without a number and with the request: `{"success":false,"ret_msg":"…","request":{"op":"subscribe","args":["…"]}}`.
///
/// Fields that are not named here are ignored. Errors: `BadFrame` with the field, what was expected and what it was;
/// what is no JSON, or names a field twice, is refused as a whole.
pub fn read<'a>(bytes: &'a [u8], mut say: impl FnMut(Result<Frame<'a>, BadFrame>)) {
    match scan(bytes) {
        Err(error) => say(Err(error)),
        Ok(message) if message.topic == Scalar::Missing => say(read_answer(message)),
        Ok(message) => read_topic(message, &mut say).unwrap_or_else(|error| say(Err(error))),
    }
}

fn scan(bytes: &[u8]) -> Result<Message<'_>, BadFrame> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| BadFrame { reason: format!("not UTF-8 at byte {}", error.valid_up_to()) })?;
    let mut message = Message::default();
    let mut scanner = Scanner::new(text);
    scanner.object(|key, scanner| match key {
        "topic" => fill(&mut message.topic, key, scanner),
        "ts" => fill(&mut message.sent, key, scanner),
        "op" => fill(&mut message.operation, key, scanner),
        "success" => fill(&mut message.success, key, scanner),
        "ret_msg" => fill(&mut message.says, key, scanner),
        "req_id" => fill(&mut message.id, key, scanner),
        // A refusal may repeat the request instead of naming it.
        "request" if scanner.at_object() => scanner.object(|key, scanner| match key {
            "req_id" => fill(&mut message.repeated_id, "request.req_id", scanner),
            "args" if scanner.at_list() => scanner.items(|scanner| {
                message.repeated_topics.push(scanner.value()?.words());
                Ok(())
            }),
            _ => scanner.value().map(drop).map_err(BadFrame::from),
        }),
        "data" if scanner.at_list() => scanner.items(|scanner| {
            let mut kline = Kline::default();
            if scanner.at_object() {
                scanner.object(|key, scanner| kline_field(&mut kline, key, scanner))?;
            } else {
                scanner.value()?;
            }
            message.klines.push(kline);
            Ok(())
        }),
        "data" if scanner.at_object() => scanner.object(|key, scanner| match key {
            "markPrice" => fill(&mut message.mark, "data.markPrice", scanner),
            _ => scanner.value().map(drop).map_err(BadFrame::from),
        }),
        _ => scanner.value().map(drop).map_err(BadFrame::from),
    })?;
    scanner.end()?;
    Ok(message)
}

fn kline_field<'a>(kline: &mut Kline<'a>, key: &str, scanner: &mut Scanner<'a>) -> Result<(), BadFrame> {
    let (slot, name) = match key {
        "start" => (&mut kline.open_time, WORDS.open_time),
        "end" => (&mut kline.close_time, WORDS.close_time),
        "interval" => (&mut kline.interval, WORDS.interval),
        "open" => (&mut kline.open, WORDS.open),
        "high" => (&mut kline.high, WORDS.high),
        "low" => (&mut kline.low, WORDS.low),
        "close" => (&mut kline.close, WORDS.close),
        "volume" => (&mut kline.volume, WORDS.volume),
        "confirm" => (&mut kline.closed, WORDS.closed),
        _ => return scanner.value().map(drop).map_err(BadFrame::from),
    };
    fill(slot, name, scanner)
}

fn read_answer(message: Message<'_>) -> Result<Frame<'static>, BadFrame> {
    let refused = message.success == Scalar::Boolean(false);
    if !refused && matches!(read_text("op", &message.operation)?, "ping" | "pong") {
        return Ok(Frame::Unrelated);
    }
    let number = |value: &Scalar| read_text("req_id", value).ok().and_then(|text| text.parse().ok());
    let id = number(&message.id).or_else(|| number(&message.repeated_id));
    match message.success {
        Scalar::Boolean(true) => {
            id.map(|id| Frame::Acknowledged { id }).ok_or_else(|| BadFrame::field("req_id", "ours", message.id.shown()))
        }
        Scalar::Boolean(false) => {
            let (message, streams) = (message.says.words(), message.repeated_topics);
            Ok(Frame::Refused(Refusal { id, code: None, message, streams }))
        }
        ref other => Err(BadFrame::field("success", "true or false", other.shown())),
    }
}

/// What follows a topic's beginning: the symbol.
fn behind<'a>(topic: &Cow<'a, str>, beginning: &str) -> Option<Cow<'a, str>> {
    match topic {
        Cow::Borrowed(topic) => topic.strip_prefix(beginning).map(Cow::Borrowed),
        Cow::Owned(topic) => topic.strip_prefix(beginning).map(|symbol| Cow::Owned(symbol.to_owned())),
    }
}

fn read_mark<'a>(symbol: Cow<'a, str>, sent: &Scalar, mark: &Scalar) -> Result<Frame<'a>, BadFrame> {
    Ok(Frame::Mark { symbol, time: read_time("ts", sent)?, price: read_price("data.markPrice", mark)? })
}

fn read_topic<'a>(message: Message<'a>, say: &mut impl FnMut(Result<Frame<'a>, BadFrame>)) -> Result<(), BadFrame> {
    let topic = match message.topic {
        Scalar::Text(topic) => topic,
        other => return Err(BadFrame::field("topic", "a text", other.shown())),
    };
    if let Some(symbol) = behind(&topic, TICKER) {
        // A delta names only what has changed.
        say(Ok(match message.mark {
            Scalar::Missing => Frame::Unrelated,
            mark => read_mark(symbol, &message.sent, &mark).unwrap_or_else(Frame::BadMark),
        }));
        return Ok(());
    }
    let Some(symbol) = behind(&topic, KLINE) else {
        say(Ok(Frame::Unrelated));
        return Ok(());
    };
    let event_time = read_time("ts", &message.sent)?;
    let mut klines = message.klines;
    if klines.is_empty() {
        return Err(BadFrame::field("data", "a list of candles", "without any"));
    }
    klines.sort_by_key(|kline| {
        let opened = if let Scalar::Integer(ms) = kline.open_time { ms } else { i64::MAX };
        (kline.closed != Scalar::Boolean(true), opened)
    });
    for kline in &klines {
        let minute = read_candle(kline, event_time, &WORDS);
        say(minute.map(|(closed, candle)| Frame::Kline { symbol: symbol.clone(), closed, candle }));
    }
    Ok(())
}
