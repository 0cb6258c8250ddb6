//! The wire of Binance, spot and USDT-M futures, market data: how to subscribe to one-minute klines and what a frame
//! says. Decides whether a frame is sound; what to do about an unsound one is left to the session.
//!
//! Futures only under `/market/ws` (raw payloads) or `/market/stream` (payloads wrapped with their stream's name); the
//! unrouted addresses still acknowledge a kline subscription and never send one.

use crate::fields::{fill, read_candle, read_price, read_text, read_time, Kline, Words};
use crate::scan::{shortened, Scalar, Scanner};
use crate::venue::{BadFrame, Frame, Refusal};

const KLINE: &str = "@kline_1m";
const MARK: &str = "@markPrice@1s";

const WORDS: Words = Words {
    minute: "1m",
    sent: "E",
    open_time: "k.t",
    close_time: "k.T",
    interval: "k.i",
    open: "k.o",
    high: "k.h",
    low: "k.l",
    close: "k.c",
    volume: "k.v",
    closed: "k.x",
};

/// The names of a symbol's minutes and of its mark price, which spot does not have.
pub fn streams(symbol: &str) -> (String, String) {
    let lower = symbol.to_lowercase();
    (format!("{lower}{KLINE}"), format!("{lower}{MARK}"))
}

/// `{"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m"],"id":1}`
///
/// The names hold no character that JSON would escape (the session refuses such symbols).
pub fn ask(id: u64, subscribes: bool, streams: &[&str]) -> String {
    let method = if subscribes { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
    let params: Vec<String> = streams.iter().map(|stream| format!("\"{stream}\"")).collect();
    format!("{{\"method\":\"{method}\",\"params\":[{}],\"id\":{id}}}", params.join(","))
}

/// The fields of one event, raw or inside `data`.
#[derive(Default)]
struct Payload<'a> {
    kind: Scalar<'a>,
    event_time: Scalar<'a>,
    symbol: Scalar<'a>,
    price: Scalar<'a>,
    kline_symbol: Scalar<'a>,
    kline: Option<Kline<'a>>,
}

/// The fields of an answer to a request.
#[derive(Default)]
struct Answer<'a> {
    result: Scalar<'a>,
    id: Scalar<'a>,
    failed: bool,
    code: Scalar<'a>,
    message: Scalar<'a>,
}

/// Reads one frame.
///
/// A kline: `{"e":"kline","E":1626992760203,"s":"SUSHIUSDT","k":{"t":1626992700000,"T":1626992759999,"s":"SUSHIUSDT",
/// "i":"1m","f":126902874,"L":126902986,"o":"7.6080","c":"7.6170","h":"7.6180","l":"7.6070","v":"3005","n":113,
/// "x":true,"q":"22875.8590","V":"1900","Q":"14464.6930","B":"0"}}`, or that as `data` of `{"stream":…,"data":…}`.
/// Answers: `{"result":null,"id":1}`; `{"code":2,"msg":"Invalid request: …","id":1}`; `{"error":{"code":2,"msg":"…"},"id":1}`.
///
/// Fields that are not named here are ignored. Errors: `BadFrame` with the field, what was expected and what it was.
pub fn read(bytes: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| BadFrame { reason: format!("not UTF-8 at byte {}", error.valid_up_to()) })?;
    let mut payload = Payload::default();
    let mut wrapped: Option<Payload> = None;
    let mut stream = Scalar::Missing;
    let mut answer = Answer::default();
    let mut scanner = Scanner::new(text);
    scanner.object(|key, scanner| match key {
        "stream" => fill(&mut stream, key, scanner),
        "data" => {
            if wrapped.is_some() {
                return Err(BadFrame::field("data", "one value", "two"));
            }
            if !scanner.at_object() {
                return Err(BadFrame::field("data", "an object", scanner.value()?.shown()));
            }
            let mut inner = Payload::default();
            scanner.object(|key, scanner| payload_field(&mut inner, key, scanner))?;
            wrapped = Some(inner);
            Ok(())
        }
        "result" => fill(&mut answer.result, key, scanner),
        "id" => fill(&mut answer.id, key, scanner),
        "code" => fill(&mut answer.code, key, scanner),
        "msg" => fill(&mut answer.message, key, scanner),
        "error" => {
            answer.failed = true;
            if !scanner.at_object() {
                return scanner.value().map(drop).map_err(BadFrame::from);
            }
            scanner.object(|key, scanner| match key {
                "code" => fill(&mut answer.code, key, scanner),
                "msg" => fill(&mut answer.message, key, scanner),
                _ => scanner.value().map(drop).map_err(BadFrame::from),
            })
        }
        _ => payload_field(&mut payload, key, scanner),
    })?;
    scanner.end()?;

    if answer.failed || answer.code != Scalar::Missing || answer.result != Scalar::Missing {
        return read_answer(answer);
    }
    if let Some(payload) = wrapped {
        let name = read_text("stream", &stream)?;
        return read_payload(payload, Some(name));
    }
    if stream != Scalar::Missing {
        return Err(BadFrame::field("data", "an object", "missing"));
    }
    read_payload(payload, None)
}

fn payload_field<'a>(payload: &mut Payload<'a>, key: &str, scanner: &mut Scanner<'a>) -> Result<(), BadFrame> {
    match key {
        "e" => fill(&mut payload.kind, key, scanner),
        "E" => fill(&mut payload.event_time, key, scanner),
        "s" => fill(&mut payload.symbol, key, scanner),
        "p" => fill(&mut payload.price, key, scanner),
        "k" if scanner.at_object() => {
            if payload.kline.is_some() {
                return Err(BadFrame::field("k", "one value", "two"));
            }
            let mut kline = Kline::default();
            scanner.object(|key, scanner| match key {
                "s" => fill(&mut payload.kline_symbol, "k.s", scanner),
                _ => kline_field(&mut kline, key, scanner),
            })?;
            payload.kline = Some(kline);
            Ok(())
        }
        _ => scanner.value().map(drop).map_err(BadFrame::from),
    }
}

fn kline_field<'a>(kline: &mut Kline<'a>, key: &str, scanner: &mut Scanner<'a>) -> Result<(), BadFrame> {
    let (slot, name) = match key {
        "t" => (&mut kline.open_time, WORDS.open_time),
        "T" => (&mut kline.close_time, WORDS.close_time),
        "i" => (&mut kline.interval, WORDS.interval),
        "o" => (&mut kline.open, WORDS.open),
        "h" => (&mut kline.high, WORDS.high),
        "l" => (&mut kline.low, WORDS.low),
        "c" => (&mut kline.close, WORDS.close),
        "v" => (&mut kline.volume, WORDS.volume),
        "x" => (&mut kline.closed, WORDS.closed),
        _ => return scanner.value().map(drop).map_err(BadFrame::from),
    };
    fill(slot, name, scanner)
}

fn read_answer(answer: Answer<'_>) -> Result<Frame<'static>, BadFrame> {
    let id = match answer.id {
        Scalar::Integer(id) if id >= 0 => Some(id.unsigned_abs()),
        Scalar::Missing | Scalar::Null => None,
        ref other => return Err(BadFrame::field("id", "an unsigned integer", other.shown())),
    };
    if answer.failed || answer.code != Scalar::Missing {
        let code = match answer.code {
            Scalar::Integer(code) => Some(code),
            _ => None,
        };
        return Ok(Frame::Refused(Refusal { id, code, message: answer.message.words(), streams: Vec::new() }));
    }
    if answer.result != Scalar::Null {
        return Err(BadFrame::field("result", "null", answer.result.shown()));
    }
    id.map(|id| Frame::Acknowledged { id }).ok_or_else(|| BadFrame::field("id", "an unsigned integer", "missing"))
}

fn read_payload<'a>(payload: Payload<'a>, stream: Option<&str>) -> Result<Frame<'a>, BadFrame> {
    match read_text("e", &payload.kind)? {
        "kline" => {}
        "markPriceUpdate" => return Ok(read_mark(payload).unwrap_or_else(Frame::BadMark)),
        "serverShutdown" => return Ok(Frame::ShutdownNotice),
        _ => return Ok(Frame::Unrelated),
    }
    let event_time = read_time("E", &payload.event_time)?;
    let Some(kline) = payload.kline else {
        return Err(BadFrame::field("k", "an object", "missing or not an object"));
    };
    let symbol = match payload.kline_symbol {
        Scalar::Text(symbol) => symbol,
        other => return Err(BadFrame::field("k.s", "a text", other.shown())),
    };
    // The outer symbol may be absent; when it is there it must agree, or we do not know whose candle this is.
    match &payload.symbol {
        Scalar::Missing => {}
        Scalar::Text(outer) if *outer == symbol => {}
        other => return Err(BadFrame::field("s", &format!("\"{}\"", shortened(&symbol)), other.shown())),
    }
    if let Some(name) = stream {
        check_stream(name, &symbol)?;
    }
    let (closed, candle) = read_candle(&kline, event_time, &WORDS)?;
    Ok(Frame::Kline { symbol, closed, candle })
}

/// `{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091",…}`
fn read_mark(payload: Payload<'_>) -> Result<Frame<'_>, BadFrame> {
    let time = read_time("E", &payload.event_time)?;
    let price = read_price("p", &payload.price)?;
    match payload.symbol {
        Scalar::Text(symbol) => Ok(Frame::Mark { symbol, time, price }),
        other => Err(BadFrame::field("s", "a text", other.shown())),
    }
}

/// The name of the stream, `btcusdt@kline_1m`, must be that of the symbol inside.
fn check_stream(name: &str, symbol: &str) -> Result<(), BadFrame> {
    let agrees = name.strip_suffix(KLINE).is_some_and(|lower| {
        // Nearly every symbol is ASCII: compare without allocating first.
        lower.eq_ignore_ascii_case(symbol) || lower == symbol.to_lowercase()
    });
    if agrees {
        return Ok(());
    }
    let expected = format!("\"{}{KLINE}\"", shortened(&symbol.to_lowercase()));
    Err(BadFrame::field("stream", &expected, format_args!("\"{}\"", shortened(name))))
}
