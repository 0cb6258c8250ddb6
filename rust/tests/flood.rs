//! How fast frames are read, without socket and without Python: `cargo test --release --test flood -- --ignored --nocapture`.

use std::time::Instant;

use _feed::event::Output;
use _feed::session::{Patience, Session};
use _feed::venue::Venue;

#[test]
#[ignore = "a measurement, not a test"]
fn flood_of_closed_minutes() {
    let frames: Vec<String> = (0..1_000_i64)
        .map(|minute| {
            let open_time = 1_626_992_700_000 + minute * 60_000;
            let (event_time, close_time) = (open_time + 60_203, open_time + 59_999);
            format!(
                r#"{{"e":"kline","E":{event_time},"s":"BTCUSDT","k":{{"t":{open_time},"T":{close_time},"s":"BTCUSDT","i":"1m","f":126902874,"L":126902986,"o":"97608.10","c":"97617.00","h":"97618.00","l":"97607.00","v":"3005.123","n":113,"x":true,"q":"22875.8590","V":"1900","Q":"14464.69300","B":"0"}}}}"#
            )
        })
        .collect();
    let patience = Patience { silence_ms: 0, ack_timeout_ms: 0, pong_timeout_ms: 0 };
    let mut session = Session::new(Venue::BinanceUsdm, vec!["BTCUSDT".into()], patience).expect("a session");
    let mut out = Output::default();
    session.on_open(0, &mut out);
    for _ in 0..5 {
        out.events.clear();
        let started = Instant::now();
        for _ in 0..300 {
            for frame in &frames {
                session.on_bytes(1, frame.as_bytes(), &mut out);
            }
            assert_eq!(out.events.len(), frames.len());
            out.events.clear();
        }
        let ours = started.elapsed().as_nanos() as f64 / 300_000.0;
        let started = Instant::now();
        for _ in 0..300 {
            for frame in &frames {
                let value: serde_json::Value = serde_json::from_str(frame).expect("JSON");
                assert!(value["k"]["x"].is_boolean());
            }
        }
        let theirs = started.elapsed().as_nanos() as f64 / 300_000.0;
        println!("{ours:.0} ns a frame of {} bytes; serde_json's tree of it alone {theirs:.0} ns", frames[0].len());
    }
}
