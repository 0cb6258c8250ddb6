//! What is asked of a venue: streams in messages of the size and at the pace that it takes, and which answer belongs to
//! which message. What an answer means for a symbol is left to the session.

use std::collections::VecDeque;

use crate::venue::Venue;

const SECOND_MS: i64 = 1_000;

/// A stream and the symbol that it is of.
pub type Stream = (String, String);

/// A message that asks for streams, or takes them back.
#[derive(Debug)]
pub struct Request {
    pub subscribes: bool,
    pub streams: Vec<Stream>,
}

#[derive(Debug)]
struct Sent {
    id: u64,
    at: i64,
    request: Request,
}

#[derive(Debug)]
pub struct Requests {
    venue: Venue,
    next_id: u64,
    /// What no message has asked for yet, oldest first.
    waiting: VecDeque<Request>,
    unanswered: Vec<Sent>,
    /// When the last few messages left, oldest first.
    sent_at: VecDeque<i64>,
}

impl Requests {
    pub fn new(venue: Venue) -> Requests {
        Requests { venue, next_id: 1, waiting: VecDeque::new(), unanswered: Vec::new(), sent_at: VecDeque::new() }
    }

    /// A connection begins: nothing is asked for. Ids go on from earlier connections, so that a late answer of an old
    /// one answers nothing.
    pub fn begin(&mut self) {
        self.waiting.clear();
        self.unanswered.clear();
        self.sent_at.clear();
    }

    /// Puts `streams` into messages of the size that the venue takes.
    pub fn want(&mut self, subscribes: bool, streams: &[Stream]) {
        for chunk in streams.chunks(self.venue.streams_per_message()) {
            self.waiting.push_back(Request { subscribes, streams: chunk.to_vec() });
        }
    }

    /// Asks for `streams` in one message before all that waits.
    pub fn want_first(&mut self, streams: Vec<Stream>) {
        self.waiting.push_front(Request { subscribes: true, streams });
    }

    /// Writes messages as far as the venue's pace allows now.
    pub fn send(&mut self, now_ms: i64, texts: &mut Vec<String>) {
        while self.sent_at.front().is_some_and(|sent_at| now_ms - sent_at >= SECOND_MS) {
            self.sent_at.pop_front();
        }
        while self.sent_at.len() < self.venue.messages_per_second() {
            let Some(request) = self.waiting.pop_front() else { return };
            let streams: Vec<&str> = request.streams.iter().map(|(stream, _)| stream.as_str()).collect();
            texts.push(self.venue.ask(self.next_id, request.subscribes, &streams));
            self.sent_at.push_back(now_ms);
            self.unanswered.push(Sent { id: self.next_id, at: now_ms, request });
            self.next_id += 1;
        }
    }

    /// The message that `id` answers.
    pub fn answered(&mut self, id: u64) -> Option<Request> {
        self.take(|sent| sent.id == id)
    }

    /// The message that a refusal is about: the one it numbers; without a number the one that holds the streams it
    /// repeats, or a stream that its words name; and if only one is out, that.
    pub fn refused(&mut self, id: Option<u64>, repeated: &[String], message: &str) -> Option<Request> {
        if let Some(id) = id {
            return self.answered(id);
        }
        let holds = |sent: &Sent, name: &String| sent.request.streams.iter().any(|(stream, _)| stream == name);
        let repeats = |sent: &Sent| !repeated.is_empty() && repeated.iter().all(|name| holds(sent, name));
        let named = |sent: &Sent| sent.request.streams.iter().any(|(stream, _)| names(message, stream));
        let only = self.unanswered.len() == 1;
        self.take(repeats).or_else(|| self.take(named)).or_else(|| self.take(|_| only))
    }

    /// The oldest message that has waited for its answer for `limit_ms`.
    pub fn overdue(&self, now_ms: i64, limit_ms: i64) -> Option<u64> {
        self.unanswered.iter().find(|sent| now_ms - sent.at >= limit_ms).map(|sent| sent.id)
    }

    /// Whether everything was asked for and answered.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.unanswered.is_empty()
    }

    /// Whether the streams of `symbol` are being taken back.
    pub fn takes_back(&self, symbol: &str) -> bool {
        let does = |request: &Request| !request.subscribes && request.streams.iter().any(|(_, of)| of == symbol);
        self.waiting.iter().any(does) || self.unanswered.iter().any(|sent| does(&sent.request))
    }

    fn take(&mut self, is_it: impl Fn(&Sent) -> bool) -> Option<Request> {
        let place = self.unanswered.iter().position(is_it)?;
        Some(self.unanswered.remove(place).request)
    }
}

/// Of the streams of a refused message: those it was refused for, and the messages in which the others are asked for
/// again. Words that name some of them blame these; words that name none, or all, leave a search by halves until one
/// stands alone.
pub fn blamed(mut streams: Vec<Stream>, message: &str) -> (Vec<Stream>, Vec<Vec<Stream>>) {
    let count = streams.len();
    let (named, others): (Vec<_>, Vec<_>) = streams.drain(..).partition(|(stream, _)| names(message, stream));
    if named.len() == 1 || (!named.is_empty() && !others.is_empty()) {
        return (named, vec![others]);
    }
    let mut first = if named.is_empty() { others } else { named };
    if count < 2 {
        return (first, Vec::new());
    }
    let second = first.split_off(count / 2);
    (Vec::new(), vec![first, second])
}

/// Whether `message` names `stream`, and not one that merely begins or ends like it.
fn names(message: &str, stream: &str) -> bool {
    let belongs = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '@' | '-');
    message.match_indices(stream).any(|(at, _)| {
        let before = message[..at].chars().next_back();
        let after = message[at + stream.len()..].chars().next();
        !before.is_some_and(belongs) && !after.is_some_and(belongs)
    })
}

#[cfg(test)]
mod tests {
    use super::{blamed, names, Stream};

    fn streams(letters: &str) -> Vec<Stream> {
        letters.chars().map(|letter| (format!("kline.1.{letter}"), letter.to_string())).collect()
    }

    #[test]
    fn a_stream_is_named_only_as_a_whole() {
        assert!(names("error:handler not found,topic:kline.1.AUSDT", "kline.1.AUSDT"));
        assert!(names("Invalid symbol :[kline.1.AUSDT]", "kline.1.AUSDT"));
        for other in ["topic:kline.1.AUSDT2", "topic:kline.1.AUSDT-27MAR26", "topic:xkline.1.AUSDT", "topic:AUSDT", ""]
        {
            assert!(!names(other, "kline.1.AUSDT"), "{other}");
        }
        assert!(names("kline.1.AUSDT2 and kline.1.AUSDT", "kline.1.AUSDT"));
    }

    #[test]
    fn who_is_named_goes_alone_and_where_nobody_is_the_search_is_by_halves() {
        assert_eq!(blamed(streams("ABC"), "topic:kline.1.B"), (streams("B"), vec![streams("AC")]));
        assert_eq!(blamed(streams("ABC"), "kline.1.B,kline.1.C"), (streams("BC"), vec![streams("A")]));
        for nobody in ["no", "kline.1.A,kline.1.B,kline.1.C"] {
            assert_eq!(blamed(streams("ABC"), nobody), (Vec::new(), vec![streams("A"), streams("BC")]));
        }
        for message in ["no", "topic:kline.1.A"] {
            let (bad, again) = blamed(streams("A"), message);
            assert_eq!((bad, again.concat()), (streams("A"), Vec::new()));
        }
        assert_eq!(blamed(Vec::new(), "no"), (Vec::new(), Vec::new()));
    }
}
