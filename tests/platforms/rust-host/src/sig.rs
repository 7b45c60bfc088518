//! Types as a platform writes them in its signatures.
//!
//! ```text
//! type := Int | Bool | String | Float | Name | (Fn [type*] type) | (Name type*)
//! ```

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    Int,
    Bool,
    String,
    Float,
    Fn(Vec<Type>, Box<Type>),
    Adt(String, Vec<Type>),
}

impl Type {
    pub fn adt(name: &str, args: &[Type]) -> Type {
        Type::Adt(name.to_string(), args.to_vec())
    }

    /// The arguments of a type that has this name.
    pub fn args_of(&self, name: &str) -> Option<&[Type]> {
        match self {
            Type::Adt(own, args) if own == name => Some(args),
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let list = |types: &[Type]| {
            let texts: Vec<_> = types.iter().map(Type::to_string).collect();
            texts.join(" ")
        };
        match self {
            Type::Int | Type::Bool | Type::String | Type::Float => write!(f, "{self:?}"),
            Type::Fn(params, result) => write!(f, "(Fn [{}] {result})", list(params)),
            Type::Adt(name, args) if args.is_empty() => f.write_str(name),
            Type::Adt(name, args) => write!(f, "({name} {})", list(args)),
        }
    }
}

/// A whole signature: a function whose result is an `IO`, as the host demands.
pub fn parse_signature(text: &str) -> Result<(Vec<Type>, Type), String> {
    match parse(text)? {
        Type::Fn(params, result) => match result.args_of("IO") {
            Some([of]) => Ok((params, of.clone())),
            _ => Err(format!("{text}: the result is no IO")),
        },
        _ => Err(format!("{text}: no function")),
    }
}

pub fn parse(text: &str) -> Result<Type, String> {
    let spaced = ["(", ")", "[", "]"]
        .iter()
        .fold(text.to_string(), |all, c| all.replace(c, &format!(" {c} ")));
    let mut tokens = spaced.split_whitespace().peekable();
    let parsed = parse_one(&mut tokens).map_err(|e| format!("{text}: {e}"))?;
    match tokens.next() {
        None => Ok(parsed),
        Some(more) => Err(format!("{text}: `{more}` follows")),
    }
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn parse_one(tokens: &mut Tokens) -> Result<Type, String> {
    match tokens.next().ok_or("it ends too early")? {
        "(" => match tokens.next().ok_or("it ends too early")? {
            "Fn" => parse_fn(tokens),
            name => Ok(Type::Adt(name.to_string(), parse_until(tokens, ")")?)),
        },
        "Int" => Ok(Type::Int),
        "Bool" => Ok(Type::Bool),
        "String" => Ok(Type::String),
        "Float" => Ok(Type::Float),
        name if name.starts_with(char::is_uppercase) => Ok(Type::adt(name, &[])),
        other => Err(format!("`{other}` is no type: there are no variables")),
    }
}

fn parse_fn(tokens: &mut Tokens) -> Result<Type, String> {
    if tokens.next() != Some("[") {
        return Err("Fn wants [parameters]".into());
    }
    let params = parse_until(tokens, "]")?;
    let result = parse_one(tokens)?;
    match tokens.next() {
        Some(")") => Ok(Type::Fn(params, Box::new(result))),
        _ => Err("Fn has one result".into()),
    }
}

fn parse_until(tokens: &mut Tokens, end: &str) -> Result<Vec<Type>, String> {
    let mut types = Vec::new();
    while tokens.peek() != Some(&end) {
        types.push(parse_one(tokens)?);
    }
    tokens.next();
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_prints_as_it_was() {
        for text in [
            "(Fn [(Fn [Int] Int) (Vec Int)] (IO (Vec Int)))",
            "(Fn [] (IO (Chan (Option String))))",
            "(Fn [(Vec (Chan Point)) Int] (IO Bool))",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_the_host_refuses_is_refused() {
        for text in
            ["a", "(Fn [a] (IO Int))", "(Fn [Int] Int Int)", "(Fn Int Int)", "Int Int", "(Vec Int"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_signature("(Fn [Int] Int)").is_err());
        assert!(parse_signature("Int").is_err());
    }
}
