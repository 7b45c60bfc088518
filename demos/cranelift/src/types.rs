//! Types, and what makes two of them equal.

use crate::read::{Complaint, Form, Node};
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ty {
    Int,
    Bool,
    String,
    Vec(Box<Ty>),
    Fn(Vec<Ty>, Box<Ty>),
    Chan(Box<Ty>),
    Task(Box<Ty>),
    /// Not known yet: a number of [`Unknowns`].
    Unknown(usize),
}

impl Ty {
    pub fn function(params: Vec<Self>, result: Self) -> Self {
        Self::Fn(params, Box::new(result))
    }

    /// Whether values are counted objects; others are plain words.
    pub fn is_counted(&self) -> bool {
        !matches!(self, Self::Int | Self::Bool)
    }

    /// The type that a form names. `variables` has those of lower-case names.
    pub fn of(
        node: &Node,
        variables: &mut dyn FnMut(&str) -> Option<Self>,
    ) -> Result<Self, Complaint> {
        let wrong = || {
            let text = "a type is Int, Bool, String, (Vec a), (Fn [a b] c), (Chan a), or (Task a)";
            Complaint::new(node.at, text)
        };
        match &node.form {
            Form::Name(name) => match name.as_str() {
                "Int" => Ok(Self::Int),
                "Bool" => Ok(Self::Bool),
                "String" => Ok(Self::String),
                name => variables(name).ok_or_else(wrong),
            },
            Form::List(forms) => match forms.as_slice() {
                [Node { form: Form::Name(head), .. }, of] => {
                    let of = Box::new(Self::of(of, variables)?);
                    match head.as_str() {
                        "Vec" => Ok(Self::Vec(of)),
                        "Chan" => Ok(Self::Chan(of)),
                        "Task" => Ok(Self::Task(of)),
                        _ => Err(wrong()),
                    }
                }
                [head, Node { form: Form::Vector(params), .. }, result]
                    if head.form == Form::Name("Fn".into()) =>
                {
                    let params = params.iter().map(|param| Self::of(param, variables));
                    let params = params.collect::<Result<_, _>>()?;
                    Ok(Self::function(params, Self::of(result, variables)?))
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

/// As it is written, and as slots and Brolga's registry have it.
impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int => f.write_str("Int"),
            Self::Bool => f.write_str("Bool"),
            Self::String => f.write_str("String"),
            Self::Vec(of) => write!(f, "(Vec {of})"),
            Self::Chan(of) => write!(f, "(Chan {of})"),
            Self::Task(of) => write!(f, "(Task {of})"),
            Self::Fn(params, result) => {
                let params: Vec<_> = params.iter().map(Self::to_string).collect();
                write!(f, "(Fn [{}] {result})", params.join(" "))
            }
            Self::Unknown(_) => f.write_str("_"),
        }
    }
}

/// What has been found out about unknown types.
#[derive(Default)]
pub struct Unknowns(Vec<Option<Ty>>);

impl Unknowns {
    pub fn fresh(&mut self) -> Ty {
        self.0.push(None);
        Ty::Unknown(self.0.len() - 1)
    }

    /// With all that is known put in.
    pub fn resolve(&self, ty: &Ty) -> Ty {
        let boxed = |of: &Ty| Box::new(self.resolve(of));
        match ty {
            Ty::Unknown(number) => match &self.0[*number] {
                Some(known) => self.resolve(known),
                None => ty.clone(),
            },
            Ty::Vec(of) => Ty::Vec(boxed(of)),
            Ty::Chan(of) => Ty::Chan(boxed(of)),
            Ty::Task(of) => Ty::Task(boxed(of)),
            Ty::Fn(params, result) => {
                Ty::Fn(params.iter().map(|param| self.resolve(param)).collect(), boxed(result))
            }
            Ty::Int | Ty::Bool | Ty::String => ty.clone(),
        }
    }

    /// Whether all of it is known.
    pub fn is_known(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Unknown(number) => self.0[*number].as_ref().is_some_and(|ty| self.is_known(ty)),
            Ty::Vec(of) | Ty::Chan(of) | Ty::Task(of) => self.is_known(of),
            Ty::Fn(params, result) => {
                params.iter().all(|param| self.is_known(param)) && self.is_known(result)
            }
            Ty::Int | Ty::Bool | Ty::String => true,
        }
    }

    /// Make two types equal; false: they cannot be. Then some parts may be.
    pub fn unify(&mut self, left: &Ty, right: &Ty) -> bool {
        let (left, right) = (self.resolve(left), self.resolve(right));
        match (&left, &right) {
            _ if left == right => true,
            (Ty::Unknown(number), other) | (other, Ty::Unknown(number)) => {
                if contains(other, *number) {
                    return false;
                }
                self.0[*number] = Some(other.clone());
                true
            }
            (Ty::Vec(left), Ty::Vec(right))
            | (Ty::Chan(left), Ty::Chan(right))
            | (Ty::Task(left), Ty::Task(right)) => self.unify(left, right),
            (Ty::Fn(left, to_left), Ty::Fn(right, to_right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| self.unify(left, right))
                    && self.unify(to_left, to_right)
            }
            _ => false,
        }
    }
}

/// Whether an unknown type is a part of another: it would be without end.
fn contains(ty: &Ty, number: usize) -> bool {
    match ty {
        Ty::Unknown(other) => *other == number,
        Ty::Vec(of) | Ty::Chan(of) | Ty::Task(of) => contains(of, number),
        Ty::Fn(params, result) => {
            params.iter().any(|param| contains(param, number)) || contains(result, number)
        }
        Ty::Int | Ty::Bool | Ty::String => false,
    }
}
