//! The code of one function: what its expressions compute, and who owns their values.
//!
//! A value that is counted has one owner for each of its references. A function owns its
//! arguments. The last use of a variable moves it, each one before makes a reference more;
//! so each expression is told which variables are used `later`. Where a variable is used
//! in one branch only, the other one drops it. Operations borrow what they are given,
//! unless they say otherwise; closures are given to their own code as its first argument,
//! which takes its captures from there and drops the closure.
//!
//! A function begins with a safepoint, which is the header of its loop as well: a call of
//! itself in tail position jumps there. If there is a new version, the safepoint lets the
//! task adopt it. Then, and if something that was called has adopted one, the function
//! calls itself through its slot, in tail position: so a loop goes on in new code, and
//! holds none of the old.

use crate::compile::{Pending, Target, Unit};
use crate::expr::{Expr, Function, Kind, Name, Var, Vars};
use crate::natives;
use crate::read::Complaint;
use crate::types::Ty;
use crate::values::{COUNT_AT, Known};
use brolga::ffi;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlags,
    Signature, StackSlot, StackSlotData, StackSlotKind, UserExternalName, Value,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where `struct brolga_view` has what (brolga/got.h).
const VIEW_SLOTS: i32 = 0;
const VIEW_SEEN: i32 = 8;
const VIEW_ROUND: i32 = 16;

/// A function that is being compiled.
pub struct Body<'a, 'u, 'b> {
    pub unit: &'a mut Unit<'u>,
    /// Of each variable.
    types: &'a [Ty],
    pub values: BTreeMap<Var, Value>,
    /// What calls itself jumps; closures cannot.
    again: Option<Again>,
    pub b: FunctionBuilder<'b>,
}

struct Again {
    name: Name,
    target: Target,
    header: Block,
    /// The round that the task had seen when the function began.
    seen: Value,
}

/// The value of an expression; none: it was in tail position, and has left.
type Come = Result<Option<Value>, Complaint>;
pub type Got = Result<Value, Complaint>;

pub fn free_in(exprs: &[Expr]) -> Vars {
    exprs.iter().flat_map(Expr::free).collect()
}

pub fn both(a: &Vars, b: &Vars) -> Vars {
    a.union(b).copied().collect()
}

impl<'a, 'u, 'b> Body<'a, 'u, 'b> {
    pub fn function(
        unit: &'a mut Unit<'u>,
        function: &'a Function,
        mut b: FunctionBuilder<'b>,
    ) -> Result<(), Complaint> {
        let name = Name { module: unit.module.into(), symbol: function.symbol.clone() };
        let target = (unit.resolve)(&name, &function.ty, function.at)?;
        let [entry, header] = [(); 2].map(|()| b.create_block());

        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let view = b.ins().get_pinned_reg(I64);
        let seen = b.ins().load(I64, MemFlags::trusted(), view, VIEW_SEEN);
        let args: Vec<BlockArg> = b.block_params(entry).iter().map(|&arg| arg.into()).collect();
        b.ins().jump(header, &args);
        let params: Vec<_> = args.iter().map(|_| b.append_block_param(header, I64)).collect();
        b.switch_to_block(header);
        let again = Again { name, target, header, seen };
        let mut this =
            Self { unit, types: &function.types, values: BTreeMap::new(), again: Some(again), b };
        this.safepoint(&params);
        this.whole(&function.params, &params, &function.body)
    }

    /// The function of a closure: its first argument is the closure.
    pub fn closure(
        unit: &'a mut Unit<'u>,
        pending: &'a Pending,
        types: &'a [Ty],
        mut b: FunctionBuilder<'b>,
    ) -> Result<(), Complaint> {
        let entry = b.create_block();

        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let params = b.block_params(entry).to_vec();
        let mut this = Self { unit, types, values: BTreeMap::new(), again: None, b };
        for (number, capture) in pending.captures.iter().enumerate() {
            let at = 8 + 8 * number as i32;
            let value = this.b.ins().load(I64, MemFlags::trusted(), params[0], at);
            this.share(value, &types[*capture]);
            this.values.insert(*capture, value);
        }
        this.drop(params[0], &pending.ty)?;
        this.whole(&pending.params, &params[1..], &pending.body)
    }

    fn whole(mut self, vars: &[Var], params: &[Value], body: &Expr) -> Result<(), Complaint> {
        self.values.extend(vars.iter().copied().zip(params.iter().copied()));
        let unused = vars.iter().copied().collect();
        self.drop_unused(&unused, &body.free())?;
        if let Some(value) = self.expr(body, &Vars::new(), true)? {
            self.b.ins().return_(&[value]);
        }
        self.b.seal_all_blocks();
        self.b.finalize();
        Ok(())
    }

    /// The round is loaded as an atomic: other loads could be taken for the same.
    fn safepoint(&mut self, params: &[Value]) {
        let Some(address) = self.unit.compiler.safepoint else { return };
        let target = self.again.as_ref().expect("it is a function").target;
        let [stale, fresh] = [(); 2].map(|()| self.b.create_block());
        let view = self.b.ins().get_pinned_reg(I64);
        let seen = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_SEEN);
        let round = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_ROUND);
        let round = self.b.ins().atomic_load(I64, MemFlags::trusted(), round);
        let differ = self.b.ins().icmp(IntCC::NotEqual, seen, round);

        self.b.ins().brif(differ, stale, &[], fresh, &[]);
        self.b.set_cold_block(stale);
        self.b.switch_to_block(stale);
        let signature = Signature::new(self.unit.compiler.host_conv());
        let signature = self.b.import_signature(signature);
        let address = self.word(address as i64);
        self.b.ins().call_indirect(signature, address, &[]);
        self.call(target, params, true);
        self.b.switch_to_block(fresh);
    }

    // --- owners ----------------------------------------------------------------------

    pub fn word(&mut self, word: i64) -> Value {
        self.b.ins().iconst(I64, word)
    }

    fn known(&self, ty: &Ty) -> Result<Arc<Known>, Complaint> {
        let complain =
            |error: brolga::Error| Complaint::new(self.unit.at, format!("the type {ty}: {error}"));
        self.unit.compiler.values.known(ty).map_err(complain)
    }

    /// The address of what is known of a type. It stays: units keep all types.
    pub fn known_word(&mut self, ty: &Ty) -> Got {
        let known = self.known(ty)?;
        Ok(self.word(Arc::as_ptr(&known) as i64))
    }

    /// One reference more.
    pub fn share(&mut self, value: Value, ty: &Ty) {
        if ty.is_counted() {
            let count = self.b.ins().load(I64, MemFlags::trusted(), value, COUNT_AT);
            let count = self.b.ins().iadd_imm(count, 1);
            self.b.ins().store(MemFlags::trusted(), count, value, COUNT_AT);
        }
    }

    /// One reference less; without the last one it is gone.
    pub fn drop(&mut self, value: Value, ty: &Ty) -> Result<(), Complaint> {
        if !ty.is_counted() {
            return Ok(());
        }
        let type_ = self.known(ty)?.type_.as_raw() as i64;
        let [last, more, join] = [(); 3].map(|()| self.b.create_block());
        let count = self.b.ins().load(I64, MemFlags::trusted(), value, COUNT_AT);
        let is_last = self.b.ins().icmp_imm(IntCC::Equal, count, 1);

        self.b.ins().brif(is_last, last, &[], more, &[]);
        self.b.switch_to_block(last);
        let conv = self.unit.compiler.host_conv();
        let mut signature = Signature::new(conv);
        signature.params.extend([AbiParam::new(I64); 2]);
        let signature = self.b.import_signature(signature);
        let [address, type_] =
            [ffi::brolga_drop_word as *const () as i64, type_].map(|word| self.word(word));
        self.b.ins().call_indirect(signature, address, &[type_, value]);
        self.b.ins().jump(join, &[]);
        self.b.switch_to_block(more);
        let count = self.b.ins().iadd_imm(count, -1);
        self.b.ins().store(MemFlags::trusted(), count, value, COUNT_AT);
        self.b.ins().jump(join, &[]);
        self.b.switch_to_block(join);
        Ok(())
    }

    /// What is owned here, and not used from here on.
    fn drop_unused(&mut self, owned: &Vars, used: &Vars) -> Result<(), Complaint> {
        let types = self.types;
        for var in owned.difference(used) {
            self.drop(self.values[var], &types[*var])?;
        }
        Ok(())
    }

    // --- expressions -----------------------------------------------------------------

    fn expr(&mut self, expr: &Expr, later: &Vars, tail: bool) -> Come {
        match &expr.kind {
            Kind::If(parts) => self.if_(parts, later, tail),
            Kind::Let(var, parts) => {
                let [value, body] = &**parts;
                let used = body.free();
                let value = self.value(value, &both(later, &used))?;
                self.bind(*var, value, &used)?;
                self.expr(body, later, tail)
            }
            Kind::Do(exprs) => {
                let (last, first) = exprs.split_last().expect("there is one at least");
                for (number, expr) in first.iter().enumerate() {
                    let value = self.value(expr, &both(later, &free_in(&exprs[number + 1..])))?;
                    self.drop(value, &expr.ty)?;
                }
                self.expr(last, later, tail)
            }
            Kind::Recv(var, parts) => self.recv(*var, parts, later, tail),
            Kind::Call(name, args) => {
                let ty =
                    Ty::function(args.iter().map(|arg| arg.ty.clone()).collect(), expr.ty.clone());
                let args = self.all(args, later)?;
                if tail && self.again.as_ref().is_some_and(|again| again.name == *name) {
                    self.jump_again(&args);
                    return Ok(None);
                }
                let target = (self.unit.resolve)(name, &ty, expr.at)?;
                Ok(self.call(target, &args, tail))
            }
            Kind::Apply(closure, args) => {
                let closure = self.value(closure, &both(later, &free_in(args)))?;
                let args: Vec<_> = [closure].into_iter().chain(self.all(args, later)?).collect();
                let code = self.b.ins().load(I64, MemFlags::trusted(), closure, 0);
                Ok(self.call_code(code, &args, tail))
            }
            _ => self.value(expr, later).map(Some),
        }
    }

    /// An expression that is not in tail position.
    pub fn value(&mut self, expr: &Expr, later: &Vars) -> Got {
        match &expr.kind {
            Kind::Int(number) => Ok(self.word(*number)),
            Kind::Bool(yes) => Ok(self.word(i64::from(*yes))),
            Kind::Text(text) => {
                let (at, bytes) = self.unit.kept.text(text);
                let args = [at as i64, bytes as i64].map(|word| self.word(word));
                Ok(self.native(natives::text as *const (), true, &args))
            }
            Kind::Var(var) => {
                let value = self.values[var];
                if later.contains(var) {
                    self.share(value, &expr.ty);
                }
                Ok(value)
            }
            Kind::Vector(exprs) => {
                let all = self.all(exprs, later)?;
                let room = self.room(all.len());
                for (number, value) in all.iter().enumerate() {
                    self.b.ins().stack_store(*value, room, 8 * number as i32);
                }
                let at = self.b.ins().stack_addr(I64, room, 0);
                let length = self.word(all.len() as i64);
                Ok(self.native(natives::vector as *const (), true, &[at, length]))
            }
            Kind::Lambda(params, body) => self.lambda(params, body, expr, later),
            Kind::Op(op, args) => self.op(*op, args, expr, later),
            _ => Ok(self.expr(expr, later, false)?.expect("only what is in tail position leaves")),
        }
    }

    /// Expressions one after the other, all of whose values are kept.
    fn all(&mut self, exprs: &[Expr], later: &Vars) -> Result<Vec<Value>, Complaint> {
        let number = |n: usize| both(later, &free_in(&exprs[n + 1..]));
        exprs.iter().enumerate().map(|(n, expr)| self.value(expr, &number(n))).collect()
    }

    fn room(&mut self, words: usize) -> StackSlot {
        let bytes = 8 * words.max(1) as u32;
        self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 3))
    }

    /// A new variable, which is dropped at once if it is not used.
    fn bind(&mut self, var: Var, value: Value, used: &Vars) -> Result<(), Complaint> {
        self.values.insert(var, value);
        self.drop_unused(&Vars::from([var]), used)
    }

    fn if_(&mut self, [condition, yes, no]: &[Expr; 3], later: &Vars, tail: bool) -> Come {
        let (in_yes, in_no) = (yes.free(), no.free());
        let in_both = both(&in_yes, &in_no);
        let condition = self.value(condition, &both(later, &in_both))?;
        let [then, other] = [(); 2].map(|()| self.b.create_block());
        let owned = in_both.difference(later).copied().collect();
        let mut join = self.join(tail);

        self.b.ins().brif(condition, then, &[], other, &[]);
        for (block, branch, used) in [(then, yes, &in_yes), (other, no, &in_no)] {
            self.b.switch_to_block(block);
            self.drop_unused(&owned, used)?;
            let come = self.expr(branch, later, tail)?;
            self.end_branch(&mut join, come);
        }
        Ok(self.after(join))
    }

    /// Where branches meet; in tail position they do not.
    fn join(&mut self, tail: bool) -> Option<(Block, Value)> {
        (!tail).then(|| {
            let block = self.b.create_block();
            (block, self.b.append_block_param(block, I64))
        })
    }

    fn end_branch(&mut self, join: &mut Option<(Block, Value)>, come: Option<Value>) {
        match (come, join) {
            (Some(value), Some((block, _))) => _ = self.b.ins().jump(*block, &[value.into()]),
            (Some(value), None) => _ = self.b.ins().return_(&[value]),
            (None, _) => {}
        }
    }

    fn after(&mut self, join: Option<(Block, Value)>) -> Option<Value> {
        let (block, value) = join?;
        self.b.switch_to_block(block);
        Some(value)
    }

    fn recv(&mut self, var: Var, parts: &[Expr; 3], later: &Vars, tail: bool) -> Come {
        let [chan, body, closed] = parts;
        let (in_body, in_closed) = (body.free(), closed.free());
        let mut used = both(&in_body, &in_closed);
        used.remove(&var);
        let (channel, after) = self.borrowed(chan, &both(later, &used), &Vars::new())?;
        let room = self.room(1);
        let out = self.b.ins().stack_addr(I64, room, 0);
        let found = self.native(natives::recv as *const (), false, &[channel, out]);
        if after {
            self.drop(channel, &chan.ty)?;
        }
        let [then, other] = [(); 2].map(|()| self.b.create_block());
        let owned = used.difference(later).copied().collect();
        let mut join = self.join(tail);

        self.b.ins().brif(found, then, &[], other, &[]);
        self.b.switch_to_block(then);
        let value = self.b.ins().stack_load(I64, room, 0);
        self.bind(var, value, &in_body)?;
        self.drop_unused(&owned, &in_body)?;
        let come = self.expr(body, later, tail)?;
        self.end_branch(&mut join, come);
        self.b.switch_to_block(other);
        self.drop_unused(&owned, &in_closed)?;
        let come = self.expr(closed, later, tail)?;
        self.end_branch(&mut join, come);
        Ok(self.after(join))
    }

    fn lambda(&mut self, params: &[Var], body: &Expr, expr: &Expr, later: &Vars) -> Got {
        let free = expr.free();
        let captures: Vec<Var> = free.iter().copied().collect();
        let types = self.types;
        let known = captures.iter().map(|var| self.known(&types[*var]));
        let known = known.collect::<Result<Vec<_>, _>>()?;
        let pending = Pending {
            name: self.unit.closure_name(),
            captures: captures.clone(),
            params: params.to_vec(),
            body: body.clone(),
            ty: expr.ty.clone(),
        };
        let number = self.unit.add_closure(pending, known);
        let code = self.function_ref(number, params.len() + 1, false);
        let code = self.b.ins().func_addr(I64, code);
        let count = self.word(captures.len() as i64);
        let closure = self.native(natives::closure as *const (), true, &[code, count]);

        for (number, var) in captures.iter().enumerate() {
            let value = self.values[var];
            if later.contains(var) {
                self.share(value, &types[*var]);
            }
            self.b.ins().store(MemFlags::trusted(), value, closure, 8 + 8 * number as i32);
        }
        Ok(closure)
    }

    // --- calls -----------------------------------------------------------------------

    /// A call of itself in tail position: a jump, unless the task has been at a safepoint
    /// with something new since the function began, in what it has called.
    fn jump_again(&mut self, args: &[Value]) {
        let &Again { target, header, seen: at_entry, .. } =
            self.again.as_ref().expect("it is a function");
        let to_header: Vec<BlockArg> = args.iter().map(|&arg| arg.into()).collect();

        if self.unit.compiler.safepoint.is_none() {
            self.b.ins().jump(header, &to_header);
            return;
        }
        let [jump, call] = [(); 2].map(|()| self.b.create_block());
        let view = self.b.ins().get_pinned_reg(I64);
        let seen = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_SEEN);
        let differ = self.b.ins().icmp(IntCC::NotEqual, seen, at_entry);
        self.b.ins().brif(differ, call, &[], jump, &[]);
        self.b.switch_to_block(jump);
        self.b.ins().jump(header, &to_header);
        self.b.set_cold_block(call);
        self.b.switch_to_block(call);
        self.call(target, args, true);
    }

    /// Through the view: the table of the task's version, and the slot. Both are loaded
    /// anew for each call.
    fn call(&mut self, target: Target, args: &[Value], tail: bool) -> Option<Value> {
        let code = match target {
            Target::Slot(slot) => {
                let view = self.b.ins().get_pinned_reg(I64);
                let slots = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_SLOTS);
                self.b.ins().load(I64, MemFlags::trusted(), slots, 8 * slot as i32)
            }
            Target::Cell(address) => {
                let cell = self.word(address as i64);
                self.b.ins().load(I64, MemFlags::trusted(), cell, 0)
            }
            Target::Direct(number) => {
                let function = self.function_ref(number, args.len(), true);
                if tail {
                    self.b.ins().return_call(function, args);
                    return None;
                }
                let call = self.b.ins().call(function, args);
                return Some(self.b.inst_results(call)[0]);
            }
        };
        self.call_code(code, args, tail)
    }

    fn call_code(&mut self, code: Value, args: &[Value], tail: bool) -> Option<Value> {
        let signature = self.unit.compiler.signature(CallConv::Tail, args.len());
        let signature = self.b.import_signature(signature);

        if tail {
            self.b.ins().return_call_indirect(signature, code, args);
            return None;
        }
        let call = self.b.ins().call_indirect(signature, code, args);
        Some(self.b.inst_results(call)[0])
    }

    /// A function of the same block, by its number.
    fn function_ref(&mut self, number: usize, params: usize, near: bool) -> FuncRef {
        let signature = self.unit.compiler.signature(CallConv::Tail, params);
        let signature = self.b.import_signature(signature);
        let name = UserExternalName { namespace: 0, index: number as u32 };
        let name = ExternalName::user(self.b.func.declare_imported_user_function(name));
        self.b.import_function(ExtFuncData { name, signature, colocated: near })
    }

    /// A function of the host's; `values`: it gets what the host knows of values first.
    pub fn native(&mut self, function: *const (), values: bool, args: &[Value]) -> Value {
        let mut all = Vec::new();
        if values {
            all.push(self.word(Arc::as_ptr(&self.unit.compiler.values) as i64));
        }
        all.extend(args);
        let compiler = self.unit.compiler;
        let signature = compiler.signature(compiler.host_conv(), all.len());
        let signature = self.b.import_signature(signature);
        let address = self.word(function as i64);
        let call = self.b.ins().call_indirect(signature, address, &all);
        self.b.inst_results(call)[0]
    }
}
