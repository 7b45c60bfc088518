//! From forms to expressions: what names mean, and of which types everything is.
//!
//! Types are inferred, by unification, over all modules that are checked together. A
//! function has one type, which must be known in the end, for it is what its slot is
//! found by; what the language itself can do has a new type at each use.

use crate::expr::{Expr, Function, Kind, Name, OPS, Op, OpInfo, Var};
use crate::read::{Complaint, Form, Node, Place, read};
use crate::types::{Ty, Unknowns};
use std::collections::BTreeMap;

/// `(defn name [parameters] body...)`
#[derive(Debug, Clone)]
pub struct Definition {
    pub symbol: String,
    pub at: Place,
    pub params: Vec<Param>,
    pub body: Vec<Node>,
}

/// `name`, or `:Type name`.
#[derive(Debug, Clone)]
pub struct Param {
    at: Place,
    name: String,
    ty: Option<Ty>,
}

impl Definition {
    /// A function without parameters for what is not in a file.
    pub fn expression(body: Vec<Node>) -> Self {
        Self { symbol: "it".into(), at: Place { line: 1, column: 1 }, params: Vec::new(), body }
    }

    /// All definitions of a file.
    pub fn all(forms: Vec<Node>) -> Result<Vec<Self>, Complaint> {
        forms.into_iter().map(Self::of).collect()
    }

    fn of(node: Node) -> Result<Self, Complaint> {
        let usage = || Complaint::new(node.at, "expected (defn name [parameters] body)");
        let Form::List(mut forms) = node.form else { return Err(usage()) };

        if forms.len() < 4 || forms[0].form != Form::Name("defn".into()) {
            return Err(usage());
        }
        let body = forms.split_off(3);
        let (Form::Name(symbol), Form::Vector(list)) = (&forms[1].form, &forms[2].form) else {
            return Err(usage());
        };
        if symbol.contains('/') || SPECIAL.contains(&symbol.as_str()) {
            return Err(Complaint::new(forms[1].at, format!("{symbol} cannot be defined")));
        }
        Ok(Self { symbol: symbol.clone(), at: node.at, params: params(list)?, body })
    }
}

/// Forms that are no calls.
const SPECIAL: &[&str] = &["if", "let", "do", "fn", "recv", "and", "or", "the", "defn"];

fn params(list: &[Node]) -> Result<Vec<Param>, Complaint> {
    let mut all = Vec::new();
    let mut list = list.iter();

    while let Some(node) = list.next() {
        let mut param = (node, None);
        if node.form == Form::Name(":".into()) {
            let wrong = || Complaint::new(node.at, "after : comes a type, and then a name");
            let ty = Ty::of(list.next().ok_or_else(wrong)?, &mut |_| None)?;
            param = (list.next().ok_or_else(wrong)?, Some(ty));
        }
        let (Node { at, form: Form::Name(name) }, ty) = param else {
            return Err(Complaint::new(param.0.at, "a parameter is a name, or :Type and a name"));
        };
        all.push(Param { at: *at, name: name.clone(), ty });
    }
    Ok(all)
}

/// The type of a function that is not checked now.
pub type Known<'a> = dyn Fn(&Name) -> Option<Ty> + 'a;

/// Modules and their functions.
pub type Modules<T> = BTreeMap<String, Vec<T>>;

/// Check modules together. What is wrong comes with the module that it is in.
pub fn check(
    modules: &Modules<Definition>,
    known: &Known,
) -> Result<Modules<Function>, (String, Complaint)> {
    let mut checker = Checker::new(known);
    let mut all = Modules::new();

    for (module, definitions) in modules {
        checker.declare(module, definitions).map_err(|complaint| (module.clone(), complaint))?;
    }
    for (module, definitions) in modules {
        checker.module.clone_from(module);
        let functions = definitions.iter().map(|definition| checker.function(definition));
        let functions = functions.collect::<Result<Vec<_>, _>>();
        all.insert(module.clone(), functions.map_err(|complaint| (module.clone(), complaint))?);
    }
    for (module, functions) in &mut all {
        for (function, definition) in functions.iter_mut().zip(&modules[module]) {
            let done = checker.finish(function, definition);
            done.map_err(|complaint| (module.clone(), complaint))?;
        }
    }
    Ok(all)
}

struct Checker<'a> {
    unknowns: Unknowns,
    signatures: BTreeMap<Name, Ty>,
    known: &'a Known<'a>,
    /// The one that is being checked.
    module: String,
    /// Of the function that is being checked, the innermost last.
    names: Vec<(String, Var)>,
    types: Vec<Ty>,
}

type Checked = Result<Expr, Complaint>;

impl<'a> Checker<'a> {
    fn new(known: &'a Known<'a>) -> Self {
        Self {
            unknowns: Unknowns::default(),
            signatures: BTreeMap::new(),
            known,
            module: String::new(),
            names: Vec::new(),
            types: Vec::new(),
        }
    }

    fn declare(&mut self, module: &str, definitions: &[Definition]) -> Result<(), Complaint> {
        for definition in definitions {
            let params = definition.params.iter();
            let params = params.map(|p| p.ty.clone().unwrap_or_else(|| self.unknowns.fresh()));
            let ty = Ty::function(params.collect(), self.unknowns.fresh());
            let name = Name { module: module.into(), symbol: definition.symbol.clone() };
            if self.signatures.insert(name, ty).is_some() {
                let text = format!("{} is defined twice", definition.symbol);
                return Err(Complaint::new(definition.at, text));
            }
        }
        Ok(())
    }

    fn function(&mut self, definition: &Definition) -> Result<Function, Complaint> {
        let name = Name { module: self.module.clone(), symbol: definition.symbol.clone() };
        let ty = self.signatures[&name].clone();
        let Ty::Fn(types, result) = &ty else { unreachable!("functions were declared") };

        self.names.clear();
        self.types.clear();
        let params = definition.params.iter().zip(types);
        let params = params.map(|(param, ty)| self.bind(&param.name, ty.clone())).collect();
        let body = self.sequence(&definition.body, definition.at)?;
        self.expect(result, &body)?;
        Ok(Function {
            symbol: definition.symbol.clone(),
            at: definition.at,
            params,
            ty,
            body,
            types: std::mem::take(&mut self.types),
        })
    }

    /// Put all types in, once everything has been seen.
    fn finish(&self, function: &mut Function, definition: &Definition) -> Result<(), Complaint> {
        let mut unknown = None;
        let mut resolve = |ty: &mut Ty, at: Place| {
            if !self.unknowns.is_known(ty) {
                let _ = unknown.get_or_insert(at);
            }
            *ty = self.unknowns.resolve(ty);
        };

        for (param, var) in definition.params.iter().zip(&function.params) {
            resolve(&mut function.types[*var], param.at);
        }
        resolve(&mut function.ty, definition.at);
        function.body.each(&mut |expr| resolve(&mut expr.ty, expr.at));
        for ty in &mut function.types {
            *ty = self.unknowns.resolve(ty);
        }
        if let Some(at) = unknown {
            let text =
                "its type is not known: say it, as in [:Int x], or (the (Chan Int) (chan 1))";
            return Err(Complaint::new(at, text));
        }
        comparable(&mut function.body)
    }

    // --- names ---------------------------------------------------------------------

    fn bind(&mut self, name: &str, ty: Ty) -> Var {
        self.types.push(ty);
        self.names.push((name.into(), self.types.len() - 1));
        self.types.len() - 1
    }

    fn local(&self, name: &str) -> Option<Var> {
        self.names.iter().rev().find(|(known, _)| known == name).map(|(_, var)| *var)
    }

    fn var(&self, var: Var, at: Place) -> Expr {
        Expr { at, ty: self.types[var].clone(), kind: Kind::Var(var) }
    }

    /// `name` is of the same module, `module/name` of another.
    fn global(&self, name: &str) -> Option<(Name, Ty)> {
        let (module, symbol) = name.split_once('/').unwrap_or((&self.module, name));
        let name = Name { module: module.into(), symbol: symbol.into() };
        let ty = self.signatures.get(&name).cloned().or_else(|| (self.known)(&name))?;

        Some((name, ty))
    }

    /// What a name stands for that is no local variable: a function or an operation.
    fn callee(&mut self, name: &str, at: Place) -> Result<(Callee, Ty), Complaint> {
        if let Some((name, ty)) = self.global(name) {
            return Ok((Callee::Function(name), ty));
        }
        match OPS.iter().find(|info| info.name == name) {
            Some(info) => Ok((Callee::Op(info.op), self.instance(info))),
            None => Err(Complaint::new(at, format!("{name} is not defined"))),
        }
    }

    /// An operation's type, with new unknowns for its variables.
    fn instance(&mut self, info: &OpInfo) -> Ty {
        let mut variables: Vec<(String, Ty)> = Vec::new();
        let unknowns = &mut self.unknowns;
        let forms = read(info.ty).expect("the table's types can be read");

        Ty::of(&forms[0], &mut |name| {
            if let Some((_, ty)) = variables.iter().find(|(known, _)| known == name) {
                return Some(ty.clone());
            }
            variables.push((name.into(), unknowns.fresh()));
            variables.last().map(|(_, ty)| ty.clone())
        })
        .expect("the table's types are types")
    }

    /// A function as a value: a closure that calls it.
    fn as_value(&mut self, name: &str, at: Place) -> Checked {
        let (callee, ty) = self.callee(name, at)?;
        let Ty::Fn(types, result) = &ty else { unreachable!("callees are functions") };
        let outer = self.names.len();
        let params: Vec<_> = types.iter().map(|ty| self.bind("", ty.clone())).collect();
        let args = params.iter().map(|param| self.var(*param, at)).collect();

        self.names.truncate(outer);
        let body = Expr { at, ty: (**result).clone(), kind: callee.kind(args) };
        Ok(Expr { at, ty, kind: Kind::Lambda(params, Box::new(body)) })
    }

    // --- types ---------------------------------------------------------------------

    fn expect(&mut self, ty: &Ty, expr: &Expr) -> Result<(), Complaint> {
        let (wanted, found) = (self.unknowns.resolve(ty), self.unknowns.resolve(&expr.ty));

        if self.unknowns.unify(ty, &expr.ty) {
            return Ok(());
        }
        Err(Complaint::new(expr.at, format!("{wanted} is expected here, and this is {found}")))
    }

    fn call_args(
        &mut self,
        what: &str,
        ty: &Ty,
        nodes: &[Node],
        at: Place,
    ) -> Result<(Vec<Expr>, Ty), Complaint> {
        let Ty::Fn(params, result) = self.unknowns.resolve(ty) else {
            return Err(Complaint::new(at, format!("{what} is no function, but {ty}")));
        };
        if params.len() != nodes.len() {
            let text = format!("{what} takes {} arguments, not {}", params.len(), nodes.len());
            return Err(Complaint::new(at, text));
        }
        let mut args = Vec::new();
        for (param, node) in params.iter().zip(nodes) {
            let arg = self.expression(node)?;
            self.expect(param, &arg)?;
            args.push(arg);
        }
        Ok((args, *result))
    }

    // --- expressions -----------------------------------------------------------------

    fn sequence(&mut self, nodes: &[Node], at: Place) -> Checked {
        let mut all =
            nodes.iter().map(|node| self.expression(node)).collect::<Result<Vec<_>, _>>()?;
        match all.len() {
            0 => Err(Complaint::new(at, "there is nothing in it")),
            1 => Ok(all.remove(0)),
            last => Ok(Expr { at, ty: all[last - 1].ty.clone(), kind: Kind::Do(all) }),
        }
    }

    fn expression(&mut self, node: &Node) -> Checked {
        let at = node.at;
        let (ty, kind) = match &node.form {
            Form::Int(number) => (Ty::Int, Kind::Int(*number)),
            Form::Text(text) => (Ty::String, Kind::Text(text.clone())),
            Form::Name(name) if name == "true" => (Ty::Bool, Kind::Bool(true)),
            Form::Name(name) if name == "false" => (Ty::Bool, Kind::Bool(false)),
            Form::Name(name) => {
                return match self.local(name) {
                    Some(var) => Ok(self.var(var, at)),
                    None => self.as_value(name, at),
                };
            }
            Form::Vector(nodes) => {
                let of = self.unknowns.fresh();
                let mut all = Vec::new();
                for node in nodes {
                    let element = self.expression(node)?;
                    self.expect(&of, &element)?;
                    all.push(element);
                }
                (Ty::Vec(Box::new(of)), Kind::Vector(all))
            }
            Form::List(forms) => return self.list(forms, at),
        };
        Ok(Expr { at, ty, kind })
    }

    fn list(&mut self, forms: &[Node], at: Place) -> Checked {
        let Some((head, rest)) = forms.split_first() else {
            return Err(Complaint::new(at, "a call begins with a function"));
        };
        if let Form::Name(name) = &head.form {
            if SPECIAL.contains(&name.as_str()) {
                return self.special(name, rest, at);
            }
            if self.local(name).is_none() {
                let (callee, ty) = self.callee(name, head.at)?;
                let (args, ty) = self.call_args(name, &ty, rest, at)?;
                return Ok(Expr { at, ty, kind: callee.kind(args) });
            }
        }
        let closure = self.expression(head)?;
        if matches!(self.unknowns.resolve(&closure.ty), Ty::Unknown(_)) {
            let params = rest.iter().map(|_| self.unknowns.fresh()).collect();
            let ty = Ty::function(params, self.unknowns.fresh());
            self.expect(&ty, &closure)?;
        }
        let (args, ty) = self.call_args("this", &closure.ty, rest, at)?;
        Ok(Expr { at, ty, kind: Kind::Apply(Box::new(closure), args) })
    }

    fn special(&mut self, head: &str, rest: &[Node], at: Place) -> Checked {
        let usage = |text: &str| Err(Complaint::new(at, format!("expected {text}")));
        match (head, rest) {
            ("if", [condition, yes, no]) => {
                let condition = self.expression(condition)?;
                self.expect(&Ty::Bool, &condition)?;
                let (yes, no) = (self.expression(yes)?, self.expression(no)?);
                self.expect(&yes.ty, &no)?;
                Ok(if_(at, condition, yes, no))
            }
            ("and" | "or", [first, second]) => {
                let (first, second) = (self.expression(first)?, self.expression(second)?);
                self.expect(&Ty::Bool, &first)?;
                self.expect(&Ty::Bool, &second)?;
                let constant = Expr { at, ty: Ty::Bool, kind: Kind::Bool(head == "or") };
                Ok(match head {
                    "and" => if_(at, first, second, constant),
                    _ => if_(at, first, constant, second),
                })
            }
            ("let", [Node { form: Form::Vector(bindings), .. }, body @ ..]) => {
                let outer = self.names.len();
                let come = self.let_(bindings, body, at);
                self.names.truncate(outer);
                come
            }
            ("do", body) => self.sequence(body, at),
            ("fn", [Node { form: Form::Vector(list), .. }, body @ ..]) => {
                let outer = self.names.len();
                let come = self.lambda(&params(list)?, body, at);
                self.names.truncate(outer);
                come
            }
            ("recv", [Node { form: Form::Vector(binding), .. }, body, closed]) => {
                self.recv(binding, body, closed, at)
            }
            ("the", [ty, value]) => {
                let ty = Ty::of(ty, &mut |_| None)?;
                let value = self.expression(value)?;
                self.expect(&ty, &value)?;
                Ok(value)
            }
            ("if", _) => usage("(if condition then else)"),
            ("let", _) => usage("(let [name value ...] body)"),
            ("fn", _) => usage("(fn [parameters] body)"),
            ("recv", _) => usage("(recv [name channel] body when-closed)"),
            ("the", _) => usage("(the Type value)"),
            ("defn", _) => Err(Complaint::new(at, "a function is defined outside of others")),
            _ => usage(&format!("({head} condition condition)")),
        }
    }

    fn let_(&mut self, bindings: &[Node], body: &[Node], at: Place) -> Checked {
        let mut bound = Vec::new();

        if bindings.len() > 400 {
            return Err(Complaint::new(at, "that is too much for one let"));
        }
        for binding in bindings.chunks(2) {
            let [Node { form: Form::Name(name), .. }, value] = binding else {
                return Err(Complaint::new(at, "expected (let [name value ...] body)"));
            };
            let value = self.expression(value)?;
            bound.push((self.bind(name, value.ty.clone()), value));
        }
        let body = self.sequence(body, at)?;
        Ok(bound.into_iter().rev().fold(body, |body, (var, value)| Expr {
            at,
            ty: body.ty.clone(),
            kind: Kind::Let(var, Box::new([value, body])),
        }))
    }

    fn lambda(&mut self, params: &[Param], body: &[Node], at: Place) -> Checked {
        let mut vars = Vec::new();
        let mut types = Vec::new();

        for param in params {
            let ty = param.ty.clone().unwrap_or_else(|| self.unknowns.fresh());
            types.push(ty.clone());
            vars.push(self.bind(&param.name, ty));
        }
        let body = self.sequence(body, at)?;
        let ty = Ty::function(types, body.ty.clone());
        Ok(Expr { at, ty, kind: Kind::Lambda(vars, Box::new(body)) })
    }

    fn recv(&mut self, binding: &[Node], body: &Node, closed: &Node, at: Place) -> Checked {
        let [Node { form: Form::Name(name), .. }, chan] = binding else {
            return Err(Complaint::new(at, "expected [name channel]"));
        };
        let chan = self.expression(chan)?;
        let of = self.unknowns.fresh();

        self.expect(&Ty::Chan(Box::new(of.clone())), &chan)?;
        let outer = self.names.len();
        let var = self.bind(name, of);
        let body = self.expression(body)?;
        self.names.truncate(outer);
        let closed = self.expression(closed)?;
        self.expect(&body.ty, &closed)?;
        Ok(Expr { at, ty: body.ty.clone(), kind: Kind::Recv(var, Box::new([chan, body, closed])) })
    }
}

fn if_(at: Place, condition: Expr, yes: Expr, no: Expr) -> Expr {
    Expr { at, ty: yes.ty.clone(), kind: Kind::If(Box::new([condition, yes, no])) }
}

/// What is called by name.
enum Callee {
    Function(Name),
    Op(Op),
}

impl Callee {
    fn kind(self, args: Vec<Expr>) -> Kind {
        match self {
            Self::Function(name) => Kind::Call(name, args),
            Self::Op(op) => Kind::Op(op, args),
        }
    }
}

/// `=` is for words and strings. (All types are known by now; it is looked for by its
/// arguments, in every expression.)
fn comparable(body: &mut Expr) -> Result<(), Complaint> {
    let mut wrong = None;

    body.each(&mut |expr| {
        if let Kind::Op(Op::Equal, args) = &expr.kind
            && !matches!(args[0].ty, Ty::Int | Ty::Bool | Ty::String)
        {
            let text = format!("= is for Int, Bool and String, and this is {}", args[0].ty);
            let _ = wrong.get_or_insert_with(|| Complaint::new(args[0].at, text));
        }
    });
    wrong.map_or(Ok(()), Err)
}
