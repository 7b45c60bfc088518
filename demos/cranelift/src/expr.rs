//! Expressions, once names and types are known.

use crate::read::Place;
use crate::types::Ty;
use std::collections::BTreeSet;

/// A local variable; each has a number of its own in its function.
pub type Var = usize;
pub type Vars = BTreeSet<Var>;

#[derive(Debug, Clone)]
pub struct Expr {
    pub at: Place,
    pub ty: Ty,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Int(i64),
    Bool(bool),
    Text(String),
    Var(Var),
    Vector(Vec<Expr>),
    /// Condition, then, else.
    If(Box<[Expr; 3]>),
    Let(Var, Box<[Expr; 2]>),
    /// At least one.
    Do(Vec<Expr>),
    Lambda(Vec<Var>, Box<Expr>),
    Op(Op, Vec<Expr>),
    /// A function of a module.
    Call(Name, Vec<Expr>),
    /// A closure.
    Apply(Box<Expr>, Vec<Expr>),
    /// What is received becomes the variable: the channel, then the expression for it, and
    /// the one for when the channel is closed.
    Recv(Var, Box<[Expr; 3]>),
}

/// A function: its module, and its name in there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub module: String,
    pub symbol: String,
}

/// A function whose types are known.
#[derive(Debug, Clone)]
pub struct Function {
    pub symbol: String,
    pub at: Place,
    pub params: Vec<Var>,
    pub ty: Ty,
    pub body: Expr,
    /// Of each variable.
    pub types: Vec<Ty>,
}

/// What the language itself can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    Not,
    Show,
    Print,
    Length,
    Concat,
    Count,
    Nth,
    Push,
    Range,
    Fold,
    Pmap,
    Spawn,
    Await,
    Chan,
    Send,
    Close,
    Sleep,
    Clock,
}

/// An operation: its name, its type, and which arguments it takes over. Others it borrows:
/// they stay the caller's.
pub struct OpInfo {
    pub op: Op,
    pub name: &'static str,
    pub ty: &'static str,
    pub owns: &'static [usize],
}

const fn op(op: Op, name: &'static str, ty: &'static str, owns: &'static [usize]) -> OpInfo {
    OpInfo { op, name, ty, owns }
}

pub const OPS: &[OpInfo] = &[
    op(Op::Add, "+", "(Fn [Int Int] Int)", &[]),
    op(Op::Sub, "-", "(Fn [Int Int] Int)", &[]),
    op(Op::Mul, "*", "(Fn [Int Int] Int)", &[]),
    op(Op::Div, "/", "(Fn [Int Int] Int)", &[]),
    op(Op::Rem, "%", "(Fn [Int Int] Int)", &[]),
    op(Op::And, "bit-and", "(Fn [Int Int] Int)", &[]),
    op(Op::Or, "bit-or", "(Fn [Int Int] Int)", &[]),
    op(Op::Xor, "bit-xor", "(Fn [Int Int] Int)", &[]),
    op(Op::Shl, "shl", "(Fn [Int Int] Int)", &[]),
    op(Op::Shr, "shr", "(Fn [Int Int] Int)", &[]),
    op(Op::Less, "<", "(Fn [Int Int] Bool)", &[]),
    op(Op::LessEqual, "<=", "(Fn [Int Int] Bool)", &[]),
    op(Op::Greater, ">", "(Fn [Int Int] Bool)", &[]),
    op(Op::GreaterEqual, ">=", "(Fn [Int Int] Bool)", &[]),
    op(Op::Equal, "=", "(Fn [a a] Bool)", &[]),
    op(Op::Not, "not", "(Fn [Bool] Bool)", &[]),
    op(Op::Show, "show", "(Fn [a] String)", &[]),
    op(Op::Print, "print", "(Fn [a] Bool)", &[]),
    op(Op::Length, "length", "(Fn [String] Int)", &[]),
    op(Op::Concat, "concat", "(Fn [String String] String)", &[]),
    op(Op::Count, "count", "(Fn [(Vec a)] Int)", &[]),
    op(Op::Nth, "nth", "(Fn [(Vec a) Int] a)", &[]),
    op(Op::Push, "push", "(Fn [(Vec a) a] (Vec a))", &[0, 1]),
    op(Op::Range, "range", "(Fn [Int] (Vec Int))", &[]),
    op(Op::Fold, "fold", "(Fn [(Fn [b a] b) b (Vec a)] b)", &[1]),
    op(Op::Pmap, "pmap", "(Fn [(Fn [a] b) (Vec a)] (Vec b))", &[]),
    op(Op::Spawn, "spawn", "(Fn [(Fn [] a)] (Task a))", &[0]),
    op(Op::Await, "await", "(Fn [(Task a)] a)", &[]),
    op(Op::Chan, "chan", "(Fn [Int] (Chan a))", &[]),
    op(Op::Send, "send", "(Fn [(Chan a) a] Bool)", &[1]),
    op(Op::Close, "close", "(Fn [(Chan a)] Bool)", &[]),
    op(Op::Sleep, "sleep", "(Fn [Int] Bool)", &[]),
    op(Op::Clock, "clock", "(Fn [] Int)", &[]),
];

impl Op {
    pub fn info(self) -> &'static OpInfo {
        OPS.iter().find(|info| info.op == self).expect("all of them are there")
    }
}

impl Expr {
    /// The variables that it uses and does not bind.
    pub fn free(&self) -> Vars {
        let mut all = Vars::new();
        self.add_free(&mut all);
        all
    }

    fn add_free(&self, all: &mut Vars) {
        let each = |exprs: &[Self], all: &mut Vars| exprs.iter().for_each(|e| e.add_free(all));
        match &self.kind {
            Kind::Int(_) | Kind::Bool(_) | Kind::Text(_) => {}
            Kind::Var(var) => _ = all.insert(*var),
            Kind::Vector(exprs) | Kind::Do(exprs) | Kind::Op(_, exprs) | Kind::Call(_, exprs) => {
                each(exprs, all);
            }
            Kind::If(parts) => each(&**parts, all),
            // Numbers are unique: who is bound here is used nowhere else.
            Kind::Let(var, parts) => {
                each(&**parts, all);
                all.remove(var);
            }
            Kind::Recv(var, parts) => {
                each(&**parts, all);
                all.remove(var);
            }
            Kind::Lambda(params, body) => {
                body.add_free(all);
                params.iter().for_each(|param| _ = all.remove(param));
            }
            Kind::Apply(closure, args) => {
                closure.add_free(all);
                each(args, all);
            }
        }
    }

    /// Visit it and all expressions in it.
    pub fn each(&mut self, f: &mut dyn FnMut(&mut Self)) {
        f(self);
        match &mut self.kind {
            Kind::Int(_) | Kind::Bool(_) | Kind::Text(_) | Kind::Var(_) => {}
            Kind::Vector(exprs) | Kind::Do(exprs) | Kind::Op(_, exprs) | Kind::Call(_, exprs) => {
                exprs.iter_mut().for_each(|expr| expr.each(f));
            }
            Kind::If(parts) => parts.iter_mut().for_each(|expr| expr.each(f)),
            Kind::Let(_, parts) => parts.iter_mut().for_each(|expr| expr.each(f)),
            Kind::Lambda(_, body) => body.each(f),
            Kind::Apply(closure, args) => {
                closure.each(f);
                args.iter_mut().for_each(|expr| expr.each(f));
            }
            Kind::Recv(_, parts) => parts.iter_mut().for_each(|expr| expr.each(f)),
        }
    }
}
