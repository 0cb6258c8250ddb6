//! The reader of frames: what it accepts is sane, what it refuses it names, and it agrees with serde_json about JSON.

use _feed::binance::{ask, read};
use _feed::scan::{Scalar, Scanner};
use _feed::venue::{Frame, Refusal, INTERVAL_MS};
use proptest::prelude::*;
use serde_json::{json, Value};

fn kline() -> Value {
    json!({"e": "kline", "E": 1_626_992_760_203_i64, "s": "SUSHIUSDT", "st": 1, "k": {
        "t": 1_626_992_700_000_i64, "T": 1_626_992_759_999_i64, "s": "SUSHIUSDT", "i": "1m", "f": 126_902_874, "L": 126_902_986,
        "o": "7.6080", "c": "7.6170", "h": "7.6180", "l": "7.6070", "v": "3005", "n": 113, "x": true,
        "q": "22875.8590", "V": "1900", "Q": "14464.6930", "B": "0"}})
}

fn refusal(id: Option<u64>, code: Option<i64>, message: &str) -> Frame<'static> {
    Frame::Refused(Refusal { id, code, message: message.into(), streams: Vec::new() })
}

fn reason(frame: &Value) -> String {
    read(frame.to_string().as_bytes()).expect_err("a refusal").reason
}

#[test]
fn a_closed_minute_is_read_raw_and_wrapped() {
    let raw = kline().to_string();
    let wrapped = json!({"stream": "sushiusdt@kline_1m", "data": kline()}).to_string();
    for text in [raw, wrapped] {
        let Ok(Frame::Kline { symbol, closed, candle }) = read(text.as_bytes()) else { panic!("{text}") };
        assert_eq!((symbol.as_ref(), closed), ("SUSHIUSDT", true));
        assert_eq!((candle.open_time, candle.event_time), (1_626_992_700_000, 1_626_992_760_203));
        assert_eq!(
            [candle.open, candle.high, candle.low, candle.close, candle.volume],
            [7.608, 7.618, 7.607, 7.617, 3005.0]
        );
    }
}

#[test]
fn each_essential_field_is_needed_and_named_in_the_refusal() {
    for field in ["t", "T", "s", "i", "o", "h", "l", "c", "v", "x"] {
        let mut frame = kline();
        frame["k"].as_object_mut().unwrap().remove(field);
        assert!(reason(&frame).starts_with(&format!("k.{field}: expected ")), "{}", reason(&frame));
        assert!(reason(&frame).ends_with("was missing"), "{}", reason(&frame));
        frame["k"][field] = json!([1]);
        assert!(reason(&frame).ends_with("was a list"), "{}", reason(&frame));
    }
    for field in ["e", "E", "k"] {
        let mut frame = kline();
        frame.as_object_mut().unwrap().remove(field);
        assert!(reason(&frame).starts_with(&format!("{field}: expected ")), "{}", reason(&frame));
    }
}

#[test]
fn fields_that_nobody_reads_may_be_missing_or_new() {
    let mut frame = kline();
    for field in ["f", "L", "n", "q", "V", "Q", "B"] {
        frame["k"].as_object_mut().unwrap().remove(field);
    }
    frame.as_object_mut().unwrap().remove("s");
    frame["k"]["new"] = json!({"deep": [1, null, {"x": "y"}]});
    assert!(matches!(read(frame.to_string().as_bytes()), Ok(Frame::Kline { .. })));
}

#[test]
fn values_that_no_market_has_are_refused() {
    for (field, value, start) in [
        ("o", json!(7.6), "k.o: expected a text"),
        ("o", json!("0"), "k.o: expected a price above zero"),
        ("o", json!("0.0000"), "k.o: expected a price above zero"),
        ("c", json!("-7.6170"), "k.c: expected a text"),
        ("c", json!("NaN"), "k.c: expected a text"),
        ("h", json!("inf"), "k.h: expected a text"),
        ("h", json!("1e1"), "k.h: expected a text"),
        ("h", json!("7.6169"), "k.h: expected at least 7.617, was 7.6169"),
        ("l", json!("7.6081"), "k.l: expected at most 7.608, was 7.6081"),
        ("v", json!("-1"), "k.v: expected a text"),
        ("v", json!(""), "k.v: expected a text"),
        ("i", json!("3m"), "k.i: expected \"1m\", was \"3m\""),
        ("x", json!("true"), "k.x: expected true or false"),
        ("t", json!(1_626_992_700_001_i64), "k.t: expected the start of a minute"),
        ("t", json!("1626992700000"), "k.t: expected a time in ms"),
        ("t", json!(1_626_992_700_000.5), "k.t: expected a time in ms"),
        ("T", json!(1_626_992_760_000_i64), "k.T: expected 1626992759999"),
        ("s", json!("BTCUSDT"), "s: expected \"BTCUSDT\", was \"SUSHIUSDT\""),
    ] {
        let mut frame = kline();
        frame["k"][field] = value;
        assert!(reason(&frame).starts_with(start), "{field}: {}", reason(&frame));
    }
}

#[test]
fn a_frame_that_says_something_twice_or_elsewhere_is_refused() {
    let twice = kline().to_string().replace("\"o\":\"7.6080\"", "\"o\":\"7.6080\",\"o\":\"7.6081\"");
    assert_eq!(read(twice.as_bytes()).expect_err("ambiguous").reason, "k.o: expected one value, was two");
    let elsewhere = json!({"stream": "btcusdt@kline_1m", "data": kline()});
    assert_eq!(reason(&elsewhere), "stream: expected \"sushiusdt@kline_1m\", was \"btcusdt@kline_1m\"");
    assert_eq!(reason(&json!({"stream": "sushiusdt@kline_1m"})), "data: expected an object, was missing");
    assert_eq!(reason(&json!({"stream": "x", "data": [kline()]})), "data: expected an object, was a list");
    assert_eq!(reason(&json!([kline()])), "not JSON at byte 0: expected '{'");
    assert_eq!(reason(&json!({})), "e: expected a text, was missing");
}

#[test]
fn both_shapes_of_an_error_and_the_acknowledgement_are_read() {
    assert_eq!(read(br#"{"result":null,"id":7}"#), Ok(Frame::Acknowledged { id: 7 }));
    let refused = refusal(Some(1), Some(2), "Invalid request: invalid stream");
    assert_eq!(read(br#"{"code":2,"msg":"Invalid request: invalid stream","id":1}"#), Ok(refused.clone()));
    assert_eq!(read(br#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#), Ok(refused));
    let nameless = refusal(None, None, "missing");
    assert_eq!(read(br#"{"error":"no","id":null}"#), Ok(nameless));
    assert!(read(br#"{"result":["btcusdt@kline_1m"],"id":3}"#).is_err());
    assert!(read(br#"{"result":null,"id":-3}"#).is_err());
    assert!(read(br#"{"result":null}"#).is_err());
}

#[test]
fn a_shutdown_notice_is_read_raw_and_wrapped_and_other_events_are_nobodys() {
    assert_eq!(read(br#"{"e":"serverShutdown","E":1770123456789}"#), Ok(Frame::ShutdownNotice));
    let wrapped = br#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#;
    assert_eq!(read(wrapped), Ok(Frame::ShutdownNotice));
    assert_eq!(read(br#"{"e":"aggTrade","E":1,"s":"BTCUSDT","p":"1","k":3}"#), Ok(Frame::Unrelated));
}

#[test]
fn a_subscription_names_streams_in_small_letters() {
    let text = ask(9, true, &["btcusdt@kline_1m", "币安usdt@kline_1m"]);
    assert_eq!(text, r#"{"method":"SUBSCRIBE","params":["btcusdt@kline_1m","币安usdt@kline_1m"],"id":9}"#);
}

/// The scanner's own view of a whole text as one value.
fn scanned(text: &str) -> Result<Scalar<'_>, String> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value().map_err(|error| format!("{error:?}"))?;
    scanner.end().map_err(|error| format!("{error:?}"))?;
    Ok(value)
}

fn agrees(text: &str) {
    let oracle = serde_json::from_str::<Value>(text);
    let ours = scanned(text);
    match (&oracle, &ours) {
        (Ok(Value::Null), Ok(Scalar::Null)) | (Ok(Value::Object(_)), Ok(Scalar::Object)) => {}
        (Ok(Value::Array(_)), Ok(Scalar::List)) => {}
        (Ok(Value::Bool(left)), Ok(Scalar::Boolean(right))) => assert_eq!(left, right),
        (Ok(Value::String(left)), Ok(Scalar::Text(right))) => assert_eq!(left, right),
        (Ok(Value::Number(left)), Ok(Scalar::Integer(right))) => {
            // "-0" is an integer here and a float there.
            assert!(left.as_i64() == Some(*right) || left.as_f64() == Some(0.0), "{text}");
        }
        (Ok(Value::Number(_)), Ok(Scalar::Number(_))) | (Err(_), Err(_)) => {}
        // A number beyond a double is JSON to us (no field takes it), an error there.
        (Err(error), Ok(_)) if error.to_string().contains("number out of range") => {}
        _ => panic!("{text:?}: serde_json {oracle:?}, scanner {ours:?}"),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// What every accepted candle has, whatever the bytes were.
fn sane(frame: &Frame) {
    if let Frame::Kline { candle, .. } = frame {
        let prices = [candle.open, candle.high, candle.low, candle.close];
        assert!(prices
            .iter()
            .all(|price| price.is_finite() && *price > 0.0 && *price <= candle.high && *price >= candle.low));
        assert!(candle.volume.is_finite() && candle.volume >= 0.0);
        assert_eq!(candle.open_time % INTERVAL_MS, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = read(&bytes) { sane(&frame) }
    }

    #[test]
    fn a_frame_with_some_bytes_changed_is_refused_or_sane(changes in prop::collection::vec((0usize..400, any::<u8>()), 1..4)) {
        let mut bytes = kline().to_string().into_bytes();
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        if let Ok(frame) = read(&bytes) { sane(&frame) }
    }

    #[test]
    fn a_frame_with_any_value_in_any_field_is_refused_or_sane(field in "[tTsiohlcvx]", value in any_json()) {
        let mut frame = kline();
        frame["k"][field] = value;
        if let Ok(frame) = read(frame.to_string().as_bytes()) { sane(&frame) }
    }

    #[test]
    fn a_frame_cut_short_is_refused(length in 0usize..300) {
        let text = kline().to_string();
        prop_assert!(read(&text.as_bytes()[..length.min(text.len() - 1)]).is_err());
    }

    #[test]
    fn prices_are_the_nearest_doubles(whole in 1u64..10_000_000, fraction in "[0-9]{1,8}") {
        let text = format!("{whole}.{fraction}");
        let mut frame = kline();
        for field in ["o", "h", "l", "c"] { frame["k"][field] = json!(text); }
        let text_frame = frame.to_string();
        let Ok(Frame::Kline { candle, .. }) = read(text_frame.as_bytes()) else { panic!("{frame}") };
        prop_assert_eq!(candle.close.to_bits(), text.parse::<f64>().unwrap().to_bits());
    }

    #[test]
    fn the_scanner_agrees_with_serde_json_on_json(value in any_json(), pretty in any::<bool>()) {
        agrees(&if pretty { format!("{value:#}") } else { value.to_string() });
    }

    #[test]
    fn the_scanner_agrees_with_serde_json_on_near_json(text in r#"[\[\]{}:,"\\ue0-9.+\-truefalsn /bd8Dc]{0,12}"#) {
        agrees(&text);
    }
}
