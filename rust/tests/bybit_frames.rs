//! The reader of Bybit's frames, and the sessions of the other venues.

use _feed::bybit::{self, ask};
use _feed::event::{Cut, Event, Output};
use _feed::session::{Patience, Session, Symbol};
use _feed::venue::{BadFrame, Frame, Venue};
use proptest::prelude::*;
use serde_json::{json, Value};

fn kline() -> Value {
    json!({"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": 1_672_325_040_082_i64, "data": [{
        "start": 1_672_324_980_000_i64, "end": 1_672_325_039_999_i64, "interval": "1", "open": "16649.5",
        "close": "16677", "high": "16677", "low": "16608", "volume": "2.081", "turnover": "34666.4005",
        "confirm": true, "timestamp": 1_672_325_040_082_i64}]})
}

fn all(bytes: &[u8]) -> Vec<Result<Frame<'_>, BadFrame>> {
    let mut said = Vec::new();
    bybit::read(bytes, |one| said.push(one));
    said
}

fn read(bytes: &[u8]) -> Result<Frame<'_>, BadFrame> {
    let mut said = all(bytes);
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

fn reason(frame: &Value) -> String {
    read(frame.to_string().as_bytes()).expect_err("a refusal").reason
}

#[test]
fn a_closed_minute_is_read() {
    let text = kline().to_string();
    let Ok(Frame::Kline { symbol, closed, candle }) = read(text.as_bytes()) else { panic!("{text}") };
    assert_eq!((symbol.as_ref(), closed), ("BTCUSDT", true));
    assert_eq!((candle.open_time, candle.event_time), (1_672_324_980_000, 1_672_325_040_082));
    assert_eq!(
        [candle.open, candle.high, candle.low, candle.close, candle.volume],
        [16_649.5, 16_677.0, 16_608.0, 16_677.0, 2.081]
    );
}

#[test]
fn each_essential_field_is_needed_and_named_in_the_refusal() {
    for field in ["start", "end", "interval", "open", "high", "low", "close", "volume", "confirm"] {
        let mut frame = kline();
        frame["data"][0].as_object_mut().expect("an object").remove(field);
        assert!(reason(&frame).starts_with(&format!("data.{field}: expected ")), "{}", reason(&frame));
        frame["data"][0][field] = json!([1]);
        assert!(reason(&frame).ends_with("was a list"), "{}", reason(&frame));
    }
    for (field, value) in [("data", json!([])), ("data", json!({})), ("ts", json!("1"))] {
        let mut frame = kline();
        frame[field] = value;
        assert!(reason(&frame).starts_with(&format!("{field}: expected ")), "{}", reason(&frame));
    }
}

/// The candle of `kline()` moved by so many minutes.
fn minute(later: i64, closed: bool) -> Value {
    let mut candle = kline()["data"][0].take();
    for field in ["start", "end"] {
        candle[field] = json!(candle[field].as_i64().expect("a time") + later * 60_000);
    }
    candle["confirm"] = json!(closed);
    candle
}

/// What is said of a list, in short: the minute and whether it is closed, or the refusal.
fn said_of(minutes: &Value) -> Vec<String> {
    let mut frame = kline();
    frame["data"] = minutes.clone();
    let first = frame["ts"].as_i64().expect("a time") / 60_000 - 1;
    all(frame.to_string().as_bytes())
        .into_iter()
        .map(|one| match one {
            Ok(Frame::Kline { symbol, closed, candle }) => {
                assert_eq!(symbol, "BTCUSDT");
                format!("{} {}", candle.open_time / 60_000 - first, if closed { "closed" } else { "running" })
            }
            Ok(other) => panic!("{other:?}"),
            Err(BadFrame { reason }) => reason,
        })
        .collect()
}

#[test]
fn every_minute_of_a_list_is_read_the_closed_ones_first_and_the_older_before_the_younger() {
    assert_eq!(said_of(&json!([minute(0, true), minute(1, false)])), ["0 closed", "1 running"]);
    let mixed = json!([minute(1, false), minute(0, true), minute(-1, true)]);
    assert_eq!(said_of(&mixed), ["-1 closed", "0 closed", "1 running"]);
}

#[test]
fn an_unsound_minute_of_a_list_takes_no_other_with_it() {
    let mut bad = minute(0, true);
    bad["high"] = json!("1");
    let reason = "data.high: expected at least 16677, was 1";
    assert_eq!(said_of(&json!([bad, minute(1, false)])), [reason, "1 running"]);
    let mut bad = minute(1, false);
    bad["start"] = json!(null);
    let reason = "data.start: expected a time in ms, was null";
    assert_eq!(said_of(&json!([bad, minute(0, true)])), ["0 closed", reason]);
    let reason = "data.interval: expected a text, was missing";
    assert_eq!(said_of(&json!(["half", minute(0, true)])), ["0 closed", reason]);
}

#[test]
fn answers_are_known_by_their_request() {
    let read = |text: &str| read(text.as_bytes()).map(|frame| format!("{frame:?}")).unwrap_or_else(|bad| bad.reason);
    let good = r#"{"success":true,"ret_msg":"","conn_id":"x","req_id":"7","op":"subscribe"}"#;
    assert_eq!(read(good), "Acknowledged { id: 7 }");
    assert_eq!(read(&good.replace(r#""""#, r#""subscribe""#)), "Acknowledged { id: 7 }");
    let refused =
        r#"{"success":false,"ret_msg":"error:handler not found","conn_id":"x","req_id":"7","op":"subscribe"}"#;
    assert!(read(refused).starts_with("Refused(Refusal { id: Some(7)"), "{}", read(refused));
    let pong = r#"{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}"#;
    assert_eq!(read(pong), "Unrelated");
    assert_eq!(read(r#"{"success":true,"op":"subscribe"}"#), "req_id: expected ours, was missing");
    assert_eq!(read("{}"), "op: expected a text, was missing");
}

#[test]
fn a_ticker_gives_the_mark_price_when_it_names_one() {
    let snapshot = json!({"topic": "tickers.BTCUSDT", "type": "delta", "ts": 1_672_325_040_082_i64,
        "data": {"symbol": "BTCUSDT", "markPrice": "17217.33"}});
    let text = snapshot.to_string();
    let frame = Frame::Mark { symbol: "BTCUSDT".into(), time: 1_672_325_040_082, price: 17_217.33 };
    assert_eq!(read(text.as_bytes()), Ok(frame));
    let mut session = session(Venue::BybitLinear, &["BTCUSDT"], true);
    opened(&mut session);
    let mut bad = snapshot.clone();
    bad["data"]["markPrice"] = json!("-1");
    let reason = "data.markPrice: expected a text with a decimal number, not negative, was \"-1\"";
    let said = hear(&mut session, 1, &bad.to_string()).events;
    assert_eq!(said, [Event::BadMark { reason: reason.into() }]);
    let mut other = snapshot;
    other["data"] = json!({"symbol": "BTCUSDT", "openInterest": "1"});
    assert_eq!(read(other.to_string().as_bytes()), Ok(Frame::Unrelated));
}

#[test]
fn requests_name_themselves() {
    let asked = r#"{"req_id":"3","op":"unsubscribe","args":["kline.1.BTCUSDT","kline.1.ETHUSDT"]}"#;
    assert_eq!(ask(3, false, &["kline.1.BTCUSDT", "kline.1.ETHUSDT"]), asked);
}

fn session(venue: Venue, names: &[&str], marks: bool) -> Session {
    let symbols = names.iter().enumerate().map(|(number, name)| Symbol { number, name: (*name).into() }).collect();
    Session::of(venue, symbols, Patience { silence_ms: 10_000, ack_timeout_ms: 5_000, pong_timeout_ms: 15_000 }, marks)
        .expect("a session")
}

fn hear(session: &mut Session, now_ms: i64, text: &str) -> Output {
    let mut out = Output::default();
    session.on_bytes(now_ms, text.as_bytes(), &mut out);
    out
}

fn opened(session: &mut Session) -> Vec<String> {
    let mut out = Output::default();
    session.on_open(0, &mut out);
    out.sends
}

#[test]
fn spot_of_bybit_asks_for_ten_topics_at_a_time_and_the_client_pings() {
    let names: Vec<String> = (0..25).map(|number| format!("S{number}USDT")).collect();
    let mut session = session(Venue::Bybit, &names.iter().map(String::as_str).collect::<Vec<_>>(), true);
    let sends = opened(&mut session);
    assert_eq!(sends.iter().map(|text| text.matches("kline.1.").count()).collect::<Vec<_>>(), [10, 10, 5]);
    for id in 1..=3 {
        hear(
            &mut session,
            10,
            &format!(r#"{{"success":true,"ret_msg":"subscribe","req_id":"{id}","op":"subscribe"}}"#),
        );
    }
    let mut out = Output::default();
    session.on_tick(9_000, &mut out);
    assert!(out.sends.is_empty());
    hear(&mut session, 19_000, &kline().to_string().replace("BTCUSDT", "S0USDT"));
    session.on_tick(20_000, &mut out);
    assert_eq!(out.sends, [r#"{"op":"ping"}"#]);
}

#[test]
fn bybit_s_own_kind_of_ping_wants_an_answer_as_well() {
    let patience = Patience { silence_ms: 0, ack_timeout_ms: 0, pong_timeout_ms: 15_000 };
    let mut session = Session::new(Venue::BybitLinear, vec!["BTCUSDT".into()], patience).expect("a session");
    opened(&mut session);
    let mut out = Output::default();
    session.on_tick(20_000, &mut out);
    assert_eq!(out.sends, [r#"{"op":"ping"}"#]);
    hear(&mut session, 21_000, r#"{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}"#);
    session.on_tick(40_000, &mut out);
    session.on_tick(54_999, &mut out);
    assert!(session.is_open());
    session.on_tick(55_000, &mut out);
    assert_eq!(out.events, [Event::Cut(Cut::HalfOpen { limit_ms: 15_000 })]);
}

#[test]
fn one_refused_symbol_goes_and_the_others_are_asked_for_again() {
    let mut session = session(Venue::Binance, &["AUSDT", "BADUSDT", "CUSDT"], false);
    assert_eq!(opened(&mut session).len(), 1);
    let refuse = |id: u64| format!(r#"{{"error":{{"code":2,"msg":"invalid stream"}},"id":{id}}}"#);
    let halves = hear(&mut session, 1, &refuse(1)).sends;
    assert_eq!(
        halves,
        [
            r#"{"method":"SUBSCRIBE","params":["ausdt@kline_1m"],"id":2}"#,
            r#"{"method":"SUBSCRIBE","params":["badusdt@kline_1m","cusdt@kline_1m"],"id":3}"#,
        ]
    );
    hear(&mut session, 2, r#"{"result":null,"id":2}"#);
    hear(&mut session, 3, &refuse(3));
    let mut out = Output::default();
    session.on_tick(1_100, &mut out);
    assert_eq!(out.sends.len(), 2);
    let said = hear(&mut session, 1_101, &refuse(4)).events;
    assert_eq!(said, [Event::Refused { symbol: 1, message: "invalid stream".into() }]);
    assert_eq!(hear(&mut session, 1_102, r#"{"result":null,"id":5}"#).events, [Event::Subscribed { streams: 2 }]);
}

fn no(words: &str, rest: &str) -> String {
    format!(r#"{{"success":false,"ret_msg":"{words}","op":"subscribe","conn_id":"x"{rest}}}"#)
}

#[test]
fn a_topic_that_a_refusal_names_goes_alone_and_the_others_are_asked_for_at_once() {
    let mut session = session(Venue::BybitLinear, &["AUSDT", "BADUSDT", "BADUSDT2"], true);
    opened(&mut session);
    let words = "error:handler not found,topic:kline.1.BADUSDT";
    let said = hear(&mut session, 1, &no(words, r#","req_id":"1""#));
    assert_eq!(said.events, [Event::Refused { symbol: 1, message: words.into() }]);
    let rest = r#"["kline.1.AUSDT","tickers.AUSDT","kline.1.BADUSDT2","tickers.BADUSDT2"]"#;
    assert_eq!(said.sends, [format!(r#"{{"req_id":"2","op":"subscribe","args":{rest}}}"#)]);
    // Only its mark price is refused: the minutes of that symbol come all the same.
    let said = hear(&mut session, 2, &no("error:handler not found,topic:tickers.AUSDT", r#","req_id":"2""#));
    assert_eq!((said.events.len(), said.sends[0].contains(r#"["kline.1.AUSDT","kline.1.BADUSDT2","#)), (0, true));
    let good = r#"{"success":true,"ret_msg":"","req_id":"3","op":"subscribe"}"#;
    assert_eq!(hear(&mut session, 3, good).events, [Event::Subscribed { streams: 2 }]);
}

#[test]
fn a_topic_that_comes_already_is_no_refused_symbol() {
    let mut session = session(Venue::BybitLinear, &["AUSDT", "BUSDT"], false);
    opened(&mut session);
    let said = hear(&mut session, 1, &no("error:already subscribed,topic:kline.1.AUSDT", r#","req_id":"1""#));
    assert_eq!((said.events.len(), said.sends[0].contains(r#"["kline.1.BUSDT"]"#)), (0, true));
    let said = hear(&mut session, 2, &no("error:already subscribed,topic:kline.1.BUSDT", r#","req_id":"2""#));
    assert_eq!(said.events, [Event::Subscribed { streams: 2 }]);
}

#[test]
fn a_refusal_without_a_number_finds_its_message_by_its_topics() {
    let names: Vec<String> = (0..25).map(|number| format!("S{number}USDT")).collect();
    let second: Vec<String> = names[10..20].iter().map(|name| format!(r#""kline.1.{name}""#)).collect();
    let repeated = format!(r#","req_id":"","request":{{"op":"subscribe","args":[{}]}}"#, second.join(","));
    for (words, rest, asked_again) in [("no", repeated.as_str(), 5), ("topic:kline.1.S19USDT", "", 9)] {
        let mut session = session(Venue::Bybit, &names.iter().map(String::as_str).collect::<Vec<_>>(), false);
        assert_eq!(opened(&mut session).len(), 3);
        hear(&mut session, 1, &no(words, rest));
        assert!(session.is_open());
        let mut out = Output::default();
        session.on_tick(1_001, &mut out);
        assert!(out.sends[0].contains("S10USDT"), "{}", out.sends[0]);
        assert_eq!(out.sends[0].matches("kline.1.").count(), asked_again);
    }
}

#[test]
fn a_session_without_a_symbol_left_is_refused_as_a_whole() {
    let mut session = session(Venue::BybitLinear, &["BADUSDT"], false);
    opened(&mut session);
    let refused = r#"{"success":false,"ret_msg":"Invalid symbol","req_id":"1","op":"subscribe"}"#;
    let cut = Cut::Refused { id: Some(1), code: None, message: "Invalid symbol".into() };
    assert_eq!(hear(&mut session, 1, refused).events, [Event::Cut(cut)]);
}

#[test]
fn symbols_join_and_leave_an_open_connection() {
    let mut session = session(Venue::BinanceUsdm, &["AUSDT"], true);
    let asked = r#"{"method":"SUBSCRIBE","params":["ausdt@kline_1m","ausdt@markPrice@1s"],"id":1}"#;
    assert_eq!(opened(&mut session), [asked]);
    hear(&mut session, 1, r#"{"result":null,"id":1}"#);
    let mut out = Output::default();
    session.add(2, vec![Symbol { number: 7, name: "BUSDT".into() }], &mut out);
    assert_eq!(out.sends, [asked.replace("ausdt", "busdt").replace(":1}", ":2}")]);
    assert_eq!(hear(&mut session, 3, r#"{"result":null,"id":2}"#).events, [Event::Subscribed { streams: 2 }]);
    let mark = r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BUSDT","p":"11794.15000000","r":"0.1"}"#;
    assert_eq!(
        hear(&mut session, 4, mark).events,
        [Event::Mark { symbol: 7, time: 1_562_305_380_000, price: 11_794.15 }]
    );
    let bad = mark.replace("11794.15000000", "0");
    let reason = "p: expected a price above zero, was \"0\"";
    assert_eq!(hear(&mut session, 4, &bad).events, [Event::BadMark { reason: reason.into() }]);
    let mut out = Output::default();
    session.remove(5, &["AUSDT".into(), "NOBODY".into()], &mut out);
    assert_eq!(out.sends, [r#"{"method":"UNSUBSCRIBE","params":["ausdt@kline_1m","ausdt@markPrice@1s"],"id":3}"#]);
    let late = r#"{"e":"kline","E":1626992760203,"s":"AUSDT","k":{"t":1626992700000,"T":1626992759999,"s":"AUSDT","i":"1m","o":"7.6","c":"7.6","h":"7.6","l":"7.6","v":"3","x":true}}"#;
    assert_eq!(hear(&mut session, 6, late), Output::default());
    assert!(hear(&mut session, 7, r#"{"result":null,"id":3}"#).events.is_empty());
    assert!(matches!(hear(&mut session, 8, late).events[..], [Event::BadFrame { .. }]));
    assert_eq!(session.symbols(), ["BUSDT"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_reader_panic(text in ".{0,200}", cut in 0usize..400) {
        let _ = all(text.as_bytes());
        let whole = kline().to_string();
        let end = cut.min(whole.len());
        if whole.is_char_boundary(end) && end < whole.len() {
            prop_assert!(read(&whole.as_bytes()[..end]).is_err());
        }
        let _ = _feed::binance::read(text.as_bytes());
    }
}
