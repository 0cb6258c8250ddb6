//! A strict JSON scanner that keeps nothing it is not asked for: one pass over a frame, no tree, no allocation for texts
//! without escapes. It decides what is JSON; what a field must hold is left to the venue's reader.

use std::borrow::Cow;

/// Deeper nesting is refused: no venue frame comes near, and recursion must end.
const MAX_DEPTH: usize = 32;

/// The text is not JSON: where, and what should have stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson {
    pub at: usize,
    pub expected: &'static str,
}

/// One JSON value as far as a frame's fields need it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'a> {
    #[default]
    Missing,
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    Boolean(bool),
    /// A number with fraction or exponent, or beyond 64 bits.
    Number(&'a str),
    Object,
    List,
}

impl Scalar<'_> {
    /// The words of a message; what stood there, where it is no text.
    pub fn words(self) -> String {
        match self {
            Scalar::Text(text) => text.into_owned(),
            other => other.shown(),
        }
    }

    /// What stood there, short enough for one line of a log.
    pub fn shown(&self) -> String {
        match self {
            Scalar::Missing => "missing".to_owned(),
            Scalar::Null => "null".to_owned(),
            Scalar::Text(text) => format!("\"{}\"", shortened(text)),
            Scalar::Integer(number) => number.to_string(),
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Number(text) => shortened(text),
            Scalar::Object => "an object".to_owned(),
            Scalar::List => "a list".to_owned(),
        }
    }
}

/// At most 40 characters of a foreign text, control characters escaped: it ends up in logs.
pub fn shortened(text: &str) -> String {
    beginning(text, 40)
}

/// At most 200 characters of what a venue says in words, as one line of a log.
pub fn one_line(text: &str) -> String {
    beginning(text, 200)
}

fn beginning(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).flat_map(char::escape_debug).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

/// A position in a text that is read once from left to right.
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Scanner { text, at: 0, depth: 0 }
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, NotJson> {
        Err(NotJson { at: self.at, expected })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space, not consumed.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, wanted: u8, expected: &'static str) -> Result<(), NotJson> {
        if self.peek() != Some(wanted) {
            return self.fail(expected);
        }
        self.at += 1;
        Ok(())
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), NotJson> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("the end"),
        }
    }

    pub fn at_object(&mut self) -> bool {
        self.peek() == Some(b'{')
    }

    /// Reads an object; `field` gets each key and must consume its value.
    pub fn object<E: From<NotJson>>(
        &mut self,
        mut field: impl FnMut(&str, &mut Scanner<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(b'{', "'{'")?;
        self.deeper()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let key = self.string()?;
                self.take(b':', "':'")?;
                field(&key, self)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.fail("',' or '}'").map_err(E::from),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), NotJson> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("less nesting");
        }
        Ok(())
    }

    pub fn at_list(&mut self) -> bool {
        self.peek() == Some(b'[')
    }

    /// Reads a list; `item` is called in front of each element and must consume it.
    pub fn items<E: From<NotJson>>(
        &mut self,
        mut item: impl FnMut(&mut Scanner<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(b'[', "'['")?;
        self.deeper()?;
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                item(self)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.fail("',' or ']'").map_err(E::from),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads any value; objects and lists are checked and forgotten.
    pub fn value(&mut self) -> Result<Scalar<'a>, NotJson> {
        match self.peek() {
            Some(b'"') => Ok(Scalar::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Scalar::Boolean(true)),
            Some(b'f') => self.word("false", Scalar::Boolean(false)),
            Some(b'n') => self.word("null", Scalar::Null),
            Some(b'{') => {
                self.object(|_, scanner| scanner.value().map(drop))?;
                Ok(Scalar::Object)
            }
            Some(b'[') => {
                self.items(|scanner| scanner.value().map(drop))?;
                Ok(Scalar::List)
            }
            _ => self.fail("a value"),
        }
    }

    fn word(&mut self, word: &'static str, value: Scalar<'a>) -> Result<Scalar<'a>, NotJson> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.fail(word);
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start {
            return self.fail("a digit");
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Scalar<'a>, NotJson> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let whole = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        match text.parse::<i64>() {
            Ok(number) if whole == self.at => Ok(Scalar::Integer(number)),
            _ => Ok(Scalar::Number(text)),
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, NotJson> {
        self.take(b'"', "'\"'")?;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let Some(length) = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20) else {
            self.at = self.text.len();
            return self.fail("the end of a text");
        };
        self.at += length;
        match rest[length] {
            b'"' => {
                self.at += 1;
                Ok(Cow::Borrowed(&self.text[start..start + length]))
            }
            b'\\' => self.escaped(start),
            _ => self.fail("no control character in a text"),
        }
    }

    /// The rest of a text whose first backslash has been reached.
    fn escaped(&mut self, start: usize) -> Result<Cow<'a, str>, NotJson> {
        let mut text = self.text[start..self.at].to_owned();
        let mut plain = self.at;
        loop {
            match self.byte() {
                Some(b'"') => {
                    text.push_str(&self.text[plain..self.at]);
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    text.push_str(&self.text[plain..self.at]);
                    self.at += 1;
                    text.push(self.escape()?);
                    plain = self.at;
                }
                Some(0x20..) => self.at += 1,
                Some(_) => return self.fail("no control character in a text"),
                None => return self.fail("the end of a text"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, NotJson> {
        let Some(letter) = self.byte() else {
            return self.fail("an escape");
        };
        self.at += 1;
        match letter {
            b'"' => Ok('"'),
            b'\\' => Ok('\\'),
            b'/' => Ok('/'),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => self.fail("a known escape"),
        }
    }

    fn unicode(&mut self) -> Result<char, NotJson> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                return self.fail("the second half of a surrogate pair");
            }
            self.at += 2;
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return self.fail("the second half of a surrogate pair");
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        match char::from_u32(code) {
            Some(letter) => Ok(letter),
            None => self.fail("a character"),
        }
    }

    fn hex(&mut self) -> Result<u32, NotJson> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.byte().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.fail("four hexadecimal digits");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}
