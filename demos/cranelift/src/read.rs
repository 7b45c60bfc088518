//! The reader: text to forms. It does not recurse; forms nest 100 deep at the most, so
//! that what walks them may.

use std::fmt;

/// A form, and the line that it begins in.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub line: u32,
    pub form: Form,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    Int(i64),
    Name(String),
    /// `( ... )`
    List(Vec<Node>),
    /// `[ ... ]`
    Vector(Vec<Node>),
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub line: u32,
    pub text: String,
}

impl Complaint {
    pub fn new(line: u32, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.text)
    }
}

const DEPTH_MAX: usize = 100;

/// All forms of a text.
pub fn read(text: &str) -> Result<Vec<Node>, Complaint> {
    // What is open: where it began, its bracket, and its forms so far.
    let mut open = vec![(1, ' ', Vec::new())];

    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split(';').next().unwrap_or("");
        for token in tokens(text) {
            match token {
                "(" | "[" if open.len() > DEPTH_MAX => {
                    return Err(Complaint::new(line, "too deep"));
                }
                "(" => open.push((line, ')', Vec::new())),
                "[" => open.push((line, ']', Vec::new())),
                ")" | "]" => close(&mut open, token, line)?,
                atom => push(&mut open, line, atom_form(atom)),
            }
        }
    }
    let (line, bracket, forms) = open.pop().expect("the text itself");
    if bracket == ' ' { Ok(forms) } else { Err(Complaint::new(line, "it is never closed")) }
}

type Open = Vec<(u32, char, Vec<Node>)>;

fn close(open: &mut Open, token: &str, line: u32) -> Result<(), Complaint> {
    let (began, bracket, forms) = open.pop().expect("the text itself");

    if bracket == ' ' {
        return Err(Complaint::new(line, format!("nothing is open that {token} would close")));
    }
    if !token.starts_with(bracket) {
        return Err(Complaint::new(line, format!("{bracket} is needed first: see line {began}")));
    }
    let form = if bracket == ')' { Form::List(forms) } else { Form::Vector(forms) };
    push(open, began, form);
    Ok(())
}

fn push(open: &mut Open, line: u32, form: Form) {
    open.last_mut().expect("the text itself").2.push(Node { line, form });
}

fn atom_form(atom: &str) -> Form {
    atom.parse().map_or_else(|_| Form::Name(atom.into()), Form::Int)
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let is_bracket = |c: char| "()[]".contains(c);
    let mut rest = text;

    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = if is_bracket(first) {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || is_bracket(c)).unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}
