//! How fast frames are read, without socket and without Python: `cargo test --release --test flood -- --ignored --nocapture`.

use std::time::Instant;

use _feed::event::Output;
use _feed::session::{Patience, Session};
use _feed::venue::Venue;

fn binance(open_time: i64) -> String {
    let (event_time, close_time) = (open_time + 60_203, open_time + 59_999);
    format!(
        r#"{{"e":"kline","E":{event_time},"s":"BTCUSDT","k":{{"t":{open_time},"T":{close_time},"s":"BTCUSDT","i":"1m","f":126902874,"L":126902986,"o":"97608.10","c":"97617.00","h":"97618.00","l":"97607.00","v":"3005.123","n":113,"x":true,"q":"22875.8590","V":"1900","Q":"14464.69300","B":"0"}}}}"#
    )
}

fn bybit(open_time: i64) -> String {
    let (sent, end) = (open_time + 60_203, open_time + 59_999);
    format!(
        r#"{{"topic":"kline.1.BTCUSDT","type":"snapshot","ts":{sent},"data":[{{"start":{open_time},"end":{end},"interval":"1","open":"97608.10","close":"97617.00","high":"97618.00","low":"97607.00","volume":"3005.123","turnover":"22875.8590","confirm":true,"timestamp":{sent}}}]}}"#
    )
}

#[test]
#[ignore = "a measurement, not a test"]
fn flood_of_closed_minutes() {
    for (venue, frame) in [(Venue::BinanceUsdm, binance as fn(i64) -> String), (Venue::BybitLinear, bybit)] {
        let frames: Vec<String> = (0..1_000).map(|minute| frame(1_626_992_700_000 + minute * 60_000)).collect();
        let patience = Patience { silence_ms: 0, ack_timeout_ms: 0, pong_timeout_ms: 0 };
        let mut session = Session::new(venue, vec!["BTCUSDT".into()], patience).expect("a session");
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
                    assert!(value.is_object());
                }
            }
            let theirs = started.elapsed().as_nanos() as f64 / 300_000.0;
            let bytes = frames[0].len();
            println!("{venue:?}: {ours:.0} ns a frame of {bytes} bytes; serde_json's tree of it alone {theirs:.0} ns");
        }
    }
}
