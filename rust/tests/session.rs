//! The conversation under a clock that the test turns.

use _feed::event::{Cut, Event, Output};
use _feed::session::{numbered, Patience, Session};
use _feed::venue::{Venue, SILENCE_MS};
use proptest::prelude::*;

const ACK: &str = r#"{"result":null,"id":1}"#;

fn session_of(count: usize) -> Session {
    let symbols = (0..count).map(|number| format!("S{number}USDT")).collect();
    Session::new(
        Venue::BinanceUsdm,
        symbols,
        Patience { silence_ms: 10_000, ack_timeout_ms: 5_000, pong_timeout_ms: 15_000 },
    )
    .expect("a session")
}

fn open(session: &mut Session, now_ms: i64) -> Output {
    let mut out = Output::default();
    session.on_open(now_ms, &mut out);
    out
}

fn hear(session: &mut Session, now_ms: i64, text: &str) -> Vec<Event> {
    let mut out = Output::default();
    session.on_bytes(now_ms, text.as_bytes(), &mut out);
    assert!(out.sends.is_empty());
    out.events
}

fn tick(session: &mut Session, now_ms: i64) -> Output {
    let mut out = Output::default();
    session.on_tick(now_ms, &mut out);
    out
}

fn frame(symbol: &str, closed: bool) -> String {
    format!(
        r#"{{"e":"kline","E":1626992760203,"s":"{symbol}","k":{{"t":1626992700000,"T":1626992759999,"s":"{symbol}","i":"1m","o":"7.6080","c":"7.6170","h":"7.6180","l":"7.6070","v":"3005","x":{closed}}}}}"#
    )
}

#[test]
fn a_connection_subscribes_and_candles_flow() {
    let mut session = session_of(2);
    let out = open(&mut session, 0);
    assert_eq!(out.events, [Event::Connected]);
    assert_eq!(out.sends, [r#"{"method":"SUBSCRIBE","params":["s0usdt@kline_1m","s1usdt@kline_1m"],"id":1}"#]);
    assert_eq!(hear(&mut session, 5, ACK), [Event::Subscribed { streams: 2 }]);
    assert!(!session.is_flowing());
    assert!(matches!(hear(&mut session, 6, &frame("S1USDT", true))[..], [Event::Candle { symbol: 1, .. }]));
    assert!(matches!(hear(&mut session, 7, &frame("S0USDT", false))[..], [Event::Running { symbol: 0, .. }]));
    assert!(session.is_flowing());
}

#[test]
fn a_thousand_streams_leave_in_batches_of_200_at_three_a_second() {
    let mut session = session_of(1_000);
    assert_eq!(open(&mut session, 0).sends.len(), 3);
    assert!(tick(&mut session, 999).sends.is_empty());
    let rest = tick(&mut session, 1_000).sends;
    assert_eq!(rest.len(), 2);
    assert_eq!(rest[1].matches("@kline_1m").count(), 200);
    assert!(tick(&mut session, 2_000).sends.is_empty());
    // Answers may come in any order; only the last one completes the subscription.
    for id in [5, 1, 3, 2] {
        assert!(hear(&mut session, 2_001, &format!(r#"{{"result":null,"id":{id}}}"#)).is_empty());
    }
    assert_eq!(hear(&mut session, 2_002, r#"{"result":null,"id":4}"#), [Event::Subscribed { streams: 1_000 }]);
}

#[test]
fn an_answer_to_nothing_is_a_bad_frame_and_completes_nothing() {
    let mut session = session_of(1);
    open(&mut session, 0);
    for text in [r#"{"result":null,"id":2}"#, r#"{"result":null,"id":0}"#] {
        assert!(matches!(hear(&mut session, 1, text)[..], [Event::BadFrame { .. }]));
    }
    assert_eq!(hear(&mut session, 1, ACK).len(), 1);
    assert!(matches!(hear(&mut session, 1, ACK)[..], [Event::BadFrame { .. }]));
}

#[test]
fn a_late_answer_of_an_old_connection_answers_nothing_on_the_new_one() {
    let mut session = session_of(1);
    open(&mut session, 0);
    session.on_close(Cut::Closed("test".into()), &mut Output::default());
    assert!(open(&mut session, 100).sends[0].ends_with("\"id\":2}"));
    assert!(matches!(hear(&mut session, 101, ACK)[..], [Event::BadFrame { .. }]));
}

#[test]
fn no_answer_in_time_ends_the_connection() {
    let mut session = session_of(1);
    open(&mut session, 0);
    assert!(tick(&mut session, 4_999).events.is_empty());
    let cut = Event::Cut(Cut::NotAcknowledged { id: 1, limit_ms: 5_000 });
    assert_eq!(tick(&mut session, 5_000).events, [cut]);
    assert!(!session.is_open());
    assert_eq!(tick(&mut session, 6_000), Output::default());
}

#[test]
fn an_error_answer_of_either_shape_ends_the_connection() {
    for text in [r#"{"code":2,"msg":"Invalid","id":1}"#, r#"{"error":{"code":2,"msg":"Invalid"},"id":1}"#] {
        let mut session = session_of(1);
        open(&mut session, 0);
        let cut = Cut::Refused { id: Some(1), code: Some(2), message: "Invalid".into() };
        assert_eq!(hear(&mut session, 1, text), [Event::Cut(cut)]);
    }
}

#[test]
fn acknowledged_but_silent_is_a_failure_and_not_a_quiet_market() {
    let mut session = session_of(1);
    open(&mut session, 0);
    hear(&mut session, 100, ACK);
    // Noise is no data.
    hear(&mut session, 5_000, "noise");
    hear(&mut session, 5_000, r#"{"e":"aggTrade"}"#);
    assert!(tick(&mut session, 10_099).events.is_empty());
    let cut = Cut::AcknowledgedButSilent { ms: 10_000, limit_ms: 10_000 };
    assert_eq!(tick(&mut session, 10_100).events, [Event::Silent { symbol: None, ms: 10_000 }, Event::Cut(cut)]);
}

#[test]
fn data_that_stops_ends_the_connection_counted_from_the_last_candle() {
    let mut session = session_of(1);
    open(&mut session, 0);
    hear(&mut session, 100, ACK);
    hear(&mut session, 9_000, &frame("S0USDT", false));
    assert!(tick(&mut session, 18_999).events.is_empty());
    let events = tick(&mut session, 19_000).events;
    assert_eq!(events[1..], [Event::Cut(Cut::Silent { ms: 10_000, limit_ms: 10_000 })]);
}

fn with_marks(silence_ms: i64) -> Session {
    let patience = Patience { silence_ms, ack_timeout_ms: 5_000, pong_timeout_ms: 15_000 };
    let mut session =
        Session::of(Venue::BinanceUsdm, numbered(vec!["S0USDT".into()]), patience, true).expect("a session");
    open(&mut session, 0);
    hear(&mut session, 0, ACK);
    session
}

const MARK: &str = r#"{"e":"markPriceUpdate","E":1626992760203,"s":"S0USDT","p":"7.6"}"#;

#[test]
fn a_thin_market_lives_by_its_mark_prices_and_its_silent_symbol_is_told() {
    let mut session = with_marks(10_000);
    hear(&mut session, 1_000, &frame("S0USDT", false));
    let mut told = Vec::new();
    for second in 2..=60 {
        hear(&mut session, second * 1_000, MARK);
        told.extend(tick(&mut session, second * 1_000).events);
    }
    assert_eq!(told, [Event::Silent { symbol: Some(0), ms: 10_000 }]);
    // A mark price that nobody asked for is no sign of ours.
    hear(&mut session, 65_000, &MARK.replace("S0", "S9"));
    assert!(tick(&mut session, 69_999).events.is_empty());
    let events = tick(&mut session, 70_000).events;
    assert_eq!(events[1..], [Event::Cut(Cut::Silent { ms: 10_000, limit_ms: 10_000 })]);
}

#[test]
fn mark_prices_and_never_a_candle_are_a_failure_on_each_connection() {
    let mut session = with_marks(10_000);
    for (opened_at, id) in [(0, 1), (20_000, 2)] {
        if id > 1 {
            open(&mut session, opened_at);
            hear(&mut session, opened_at, &ACK.replace('1', "2"));
        }
        for second in 1..10 {
            hear(&mut session, opened_at + second * 1_000, MARK);
            assert!(tick(&mut session, opened_at + second * 1_000).events.is_empty());
        }
        assert!(!session.is_flowing());
        let cut = Cut::AcknowledgedButSilent { ms: 10_000, limit_ms: 10_000 };
        assert_eq!(tick(&mut session, opened_at + 10_000).events[1..], [Event::Cut(cut)]);
    }
}

#[test]
fn by_default_a_frame_a_minute_keeps_a_line_and_its_symbol() {
    let mut session = with_marks(SILENCE_MS);
    for minute in 0..5 {
        hear(&mut session, minute * 60_000, &frame("S0USDT", true));
        assert!(tick(&mut session, minute * 60_000 + 59_999).events.is_empty());
    }
    assert!(tick(&mut session, 4 * 60_000 + 89_999).events.is_empty());
    assert_eq!(tick(&mut session, 4 * 60_000 + 90_000).events.len(), 2);
}

#[test]
fn one_silent_symbol_is_told_once_and_again_only_after_it_spoke() {
    let mut session = session_of(2);
    open(&mut session, 0);
    hear(&mut session, 0, ACK);
    let mut told = Vec::new();
    for second in 1..=300 {
        hear(&mut session, second * 1_000, &frame("S0USDT", false));
        if second == 100 {
            hear(&mut session, second * 1_000, &frame("S1USDT", false));
        }
        told.extend(tick(&mut session, second * 1_000).events);
    }
    let silent = Event::Silent { symbol: Some(1), ms: 10_000 };
    assert_eq!(told, [silent.clone(), silent]);
}

#[test]
fn patience_of_zero_waits_for_ever() {
    let patience = Patience { silence_ms: 0, ack_timeout_ms: 0, pong_timeout_ms: 0 };
    let mut session = Session::new(Venue::BinanceUsdm, vec!["BTCUSDT".into()], patience).unwrap();
    open(&mut session, 0);
    assert!(tick(&mut session, i64::MAX / 2).events.is_empty());
    hear(&mut session, 0, ACK);
    assert!(tick(&mut session, i64::MAX / 2).events.is_empty());
}

#[test]
fn a_ping_after_which_nothing_is_heard_ends_the_connection_and_any_sign_keeps_it() {
    let patience = Patience { silence_ms: 0, ack_timeout_ms: 0, pong_timeout_ms: 15_000 };
    let mut session = Session::new(Venue::BinanceUsdm, vec!["BTCUSDT".into()], patience).unwrap();
    open(&mut session, 0);
    // Time alone says nothing: who was not asked need not answer.
    assert!(tick(&mut session, 100_000).events.is_empty());
    session.on_ping(100_000);
    session.on_ping(115_000 - 1);
    assert!(tick(&mut session, 114_999).events.is_empty());
    session.on_sign();
    assert!(tick(&mut session, 120_000).events.is_empty());
    session.on_ping(120_000);
    hear(&mut session, 121_000, "noise");
    session.on_ping(135_000);
    session.on_ping(149_000);
    assert!(tick(&mut session, 149_999).events.is_empty());
    assert_eq!(tick(&mut session, 150_000).events, [Event::Cut(Cut::HalfOpen { limit_ms: 15_000 })]);
    // The next connection owes nothing for the last one.
    open(&mut session, 150_001);
    assert!(tick(&mut session, 200_000).events.is_empty());
}

#[test]
fn nothing_is_read_after_the_end_and_the_end_is_told_once() {
    let mut session = session_of(1);
    assert!(hear(&mut session, 0, &frame("S0USDT", true)).is_empty());
    open(&mut session, 0);
    let mut out = Output::default();
    session.on_close(Cut::Closed("reset".into()), &mut out);
    session.on_close(Cut::Closed("again".into()), &mut out);
    assert_eq!(out.events, [Event::Cut(Cut::Closed("reset".into()))]);
    assert!(hear(&mut session, 1, &frame("S0USDT", true)).is_empty());
}

#[test]
fn a_stranger_s_candle_is_a_bad_frame() {
    let mut session = session_of(1);
    open(&mut session, 0);
    let events = hear(&mut session, 1, &frame("DOGEUSDT", true));
    assert_eq!(events, [Event::BadFrame { reason: "k.s: expected a subscribed symbol, was \"DOGEUSDT\"".into() }]);
    assert!(!session.is_flowing());
}

#[test]
fn a_shutdown_notice_is_told_and_the_connection_goes_on() {
    let mut session = session_of(1);
    open(&mut session, 0);
    assert_eq!(hear(&mut session, 1, r#"{"e":"serverShutdown","E":1770123456789}"#), [Event::Leaving]);
    assert!(session.is_open());
}

#[test]
fn impossible_arguments_are_named() {
    let make = |symbols: &[&str], silence_ms| {
        let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        Session::new(Venue::BinanceUsdm, symbols, Patience { silence_ms, ack_timeout_ms: 1, pong_timeout_ms: 1 })
            .map(drop)
    };
    assert!(make(&["BTCUSDT", "BTCUSDT_260327", "币安人生USDT"], 1).is_ok());
    for symbols in [&[][..], &["btcusdt"], &["BTC\"USDT"], &["A@B"], &[""], &["BTCUSDT", "BTCUSDT"], &["A"; 1_025]] {
        assert_eq!(make(symbols, 1).expect_err("refused").name, "symbols");
    }
    assert_eq!(make(&["BTCUSDT"], -1).expect_err("refused").name, "silence_ms");
    let patience = Patience { silence_ms: 1, ack_timeout_ms: 1, pong_timeout_ms: -1 };
    let refused = Session::new(Venue::BinanceUsdm, vec!["BTCUSDT".into()], patience).expect_err("refused");
    assert_eq!(refused.name, "pong_timeout_ms");
    assert!(Venue::named("kraken").is_err());
}

#[derive(Clone, Debug)]
enum Deed {
    Open,
    Tick(i64),
    Text(String),
    Close,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Open),
        (0i64..20_000).prop_map(Deed::Tick),
        Just(Deed::Close),
        (0u64..6).prop_map(|id| Deed::Text(format!(r#"{{"result":null,"id":{id}}}"#))),
        any::<bool>().prop_map(|closed| Deed::Text(frame("S0USDT", closed))),
        ".{0,20}".prop_map(Deed::Text),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: every end belongs to one beginning, `Subscribed` comes at most once between
    /// them, and candles come only in between.
    #[test]
    fn the_events_of_any_history_are_well_formed(deeds in prop::collection::vec(deed(), 0..40)) {
        let mut session = session_of(3);
        let (mut now_ms, mut connected, mut subscribed) = (0, false, false);
        for deed in deeds {
            let mut out = Output::default();
            match deed {
                Deed::Open => session.on_open(now_ms, &mut out),
                Deed::Tick(ms) => { now_ms += ms; session.on_tick(now_ms, &mut out) }
                Deed::Text(text) => session.on_bytes(now_ms, text.as_bytes(), &mut out),
                Deed::Close => session.on_close(Cut::Closed(String::new()), &mut out),
            }
            for event in out.events {
                match event {
                    Event::Connected => (connected, subscribed) = (true, false),
                    Event::Subscribed { .. } => { prop_assert!(connected && !subscribed); subscribed = true; }
                    Event::Cut(_) => { prop_assert!(connected); connected = false; }
                    _ => prop_assert!(connected),
                }
            }
            prop_assert_eq!(connected, session.is_open());
        }
    }
}
