//! The reader: text to forms. It does not recurse; forms nest 100 deep at the most, so
//! that what walks them may.

use std::fmt;

/// Where something begins: line and column, from 1. Columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A form, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub at: Place,
    pub form: Form,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    Int(i64),
    Text(String),
    Name(String),
    /// `( ... )`
    List(Vec<Node>),
    /// `[ ... ]`
    Vector(Vec<Node>),
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub at: Place,
    pub text: String,
}

impl Complaint {
    pub fn new(at: Place, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.text)
    }
}

const DEPTH_MAX: usize = 100;

/// What is open: where it began, its closing bracket, and its forms so far.
type Open = Vec<(Place, char, Vec<Node>)>;

/// All forms of a text.
pub fn read(text: &str) -> Result<Vec<Node>, Complaint> {
    let mut open: Open = vec![(Place { line: 1, column: 1 }, ' ', Vec::new())];
    let mut rest = Rest { text, at: Place { line: 1, column: 1 } };

    while let Some((at, token)) = rest.token()? {
        match token {
            "(" | "[" if open.len() > DEPTH_MAX => return Err(Complaint::new(at, "too deep")),
            "(" => open.push((at, ')', Vec::new())),
            "[" => open.push((at, ']', Vec::new())),
            ")" | "]" => close(&mut open, token, at)?,
            atom => push(&mut open, at, atom_form(atom, at)?),
        }
    }
    let (at, bracket, forms) = open.pop().expect("the text itself");
    if bracket == ' ' { Ok(forms) } else { Err(Complaint::new(at, "it is never closed")) }
}

fn close(open: &mut Open, token: &str, at: Place) -> Result<(), Complaint> {
    let (began, bracket, forms) = open.pop().expect("the text itself");

    if bracket == ' ' {
        return Err(Complaint::new(at, format!("nothing is open that {token} would close")));
    }
    if !token.starts_with(bracket) {
        return Err(Complaint::new(at, format!("{bracket} is needed first: see {began}")));
    }
    let form = if bracket == ')' { Form::List(forms) } else { Form::Vector(forms) };
    push(open, began, form);
    Ok(())
}

fn push(open: &mut Open, at: Place, form: Form) {
    open.last_mut().expect("the text itself").2.push(Node { at, form });
}

fn atom_form(atom: &str, at: Place) -> Result<Form, Complaint> {
    if let Some(text) = atom.strip_prefix('"') {
        return Ok(Form::Text(unescape(text, at)?));
    }
    let digits = atom.strip_prefix('-').unwrap_or(atom);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(Form::Name(atom.into()));
    }
    let wrong = |_| Complaint::new(at, format!("{atom} is no number of 64 bits"));
    atom.parse().map(Form::Int).map_err(wrong)
}

fn unescape(text: &str, at: Place) -> Result<String, Complaint> {
    let mut out = String::new();
    let mut chars = text.chars();

    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(c @ ('"' | '\\'))) => out.push(c),
            ('\\', _) => return Err(Complaint::new(at, "after \\ comes n, t, \" or \\")),
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// The part of a text that has not been read.
struct Rest<'a> {
    text: &'a str,
    at: Place,
}

impl<'a> Rest<'a> {
    /// A bracket, a colon, an atom; or a text with its first quote.
    fn token(&mut self) -> Result<Option<(Place, &'a str)>, Complaint> {
        self.skip();
        let at = self.at;
        let Some(first) = self.text.chars().next() else { return Ok(None) };
        let end = match first {
            '(' | ')' | '[' | ']' | ':' => 1,
            '"' => {
                let end = text_end(self.text);
                let token = self.take(end.ok_or_else(|| Complaint::new(at, "it has no end"))?);
                self.take(1);
                return Ok(Some((at, token)));
            }
            _ => self.text.find(ends_atom).unwrap_or(self.text.len()),
        };
        Ok(Some((at, self.take(end))))
    }

    fn skip(&mut self) {
        loop {
            let spaces = self.text.len() - self.text.trim_start().len();
            self.take(spaces);
            if !self.text.starts_with(';') {
                return;
            }
            self.take(self.text.find('\n').unwrap_or(self.text.len()));
        }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (token, rest) = self.text.split_at(bytes);

        for c in token.chars() {
            let Place { line, column } = self.at;
            self.at = match c {
                '\n' => Place { line: line + 1, column: 1 },
                _ => Place { line, column: column + 1 },
            };
        }
        self.text = rest;
        token
    }
}

fn ends_atom(c: char) -> bool {
    c.is_whitespace() || "()[]\";".contains(c)
}

/// Where the quote is that ends the text which begins here.
fn text_end(text: &str) -> Option<usize> {
    let mut escaped = true; // The first quote.

    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return Some(at),
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    None
}
