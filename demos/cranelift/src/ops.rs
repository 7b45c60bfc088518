//! What the language itself can do, in code. The table of it is in expr.rs.

use crate::body::{Body, Got, both, free_in};
use crate::expr::{Expr, Kind, Op, Vars};
use crate::natives;
use crate::read::Complaint;
use crate::types::Ty;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, MemFlags, TrapCode, Value};

impl Body<'_, '_, '_> {
    /// A value that an operation borrows, and whether it has to be dropped after that.
    pub fn borrowed(
        &mut self,
        arg: &Expr,
        later: &Vars,
        rest: &Vars,
    ) -> Result<(Value, bool), Complaint> {
        match arg.kind {
            Kind::Var(var) if later.contains(&var) => Ok((self.values[&var], false)),
            _ => Ok((self.value(arg, &both(later, rest))?, arg.ty.is_counted())),
        }
    }

    pub fn op(&mut self, op: Op, args: &[Expr], expr: &Expr, later: &Vars) -> Got {
        let owns = op.info().owns;
        let mut given = Vec::new();
        let mut after = Vec::new();

        for (number, arg) in args.iter().enumerate() {
            let rest = free_in(&args[number + 1..]);
            if owns.contains(&number) {
                given.push(self.value(arg, &both(later, &rest))?);
                continue;
            }
            let (value, drop) = self.borrowed(arg, later, &rest)?;
            given.push(value);
            if drop {
                after.push((value, &arg.ty));
            }
        }
        let result = self.operation(op, args, &given, expr)?;
        for (value, ty) in after {
            self.drop(value, ty)?;
        }
        Ok(result)
    }

    fn operation(&mut self, op: Op, args: &[Expr], given: &[Value], expr: &Expr) -> Got {
        if let &[left, right] = given
            && let Some(value) = self.arithmetic(op, left, right)
        {
            return Ok(value);
        }
        let (function, values, more): (*const (), bool, Vec<Value>) = match op {
            Op::Not => return Ok(self.b.ins().bxor_imm(given[0], 1)),
            Op::Length | Op::Count => {
                return Ok(self.b.ins().load(I64, MemFlags::trusted(), given[0], 0));
            }
            Op::Nth => return Ok(self.nth(given, &expr.ty)),
            Op::Equal if args[0].ty == Ty::String => {
                (natives::text_equal as *const (), false, Vec::new())
            }
            Op::Equal => return Ok(self.compare(IntCC::Equal, given[0], given[1])),
            Op::Show | Op::Print => {
                let known = self.known_word(&args[0].ty)?;
                let function = match op {
                    Op::Show => natives::show_value as *const (),
                    _ => natives::print as *const (),
                };
                return Ok(self.native(function, true, &[known, given[0]]));
            }
            Op::Concat => (natives::concat as *const (), true, Vec::new()),
            Op::Push => {
                let counted = self.word(i64::from(args[1].ty.is_counted()));
                (natives::push as *const (), true, vec![counted])
            }
            Op::Range => (natives::range as *const (), true, Vec::new()),
            Op::Fold => {
                let Ty::Vec(of) = &args[2].ty else { unreachable!("it was checked") };
                let counted = self.word(i64::from(of.is_counted()));
                (natives::fold as *const (), true, vec![counted])
            }
            Op::Pmap => {
                let types = [&args[0].ty, &args[1].ty, &expr.ty];
                let mut all = vec![given[0], given[1]];
                for ty in types {
                    all.push(self.known_word(ty)?);
                }
                return Ok(self.native(natives::pmap as *const (), true, &all));
            }
            Op::Spawn => {
                let Ty::Task(of) = &expr.ty else { unreachable!("it was checked") };
                let types = vec![self.known_word(&args[0].ty)?, self.known_word(of)?];
                (natives::spawn as *const (), true, types)
            }
            Op::Await => (natives::await_task as *const (), false, Vec::new()),
            Op::Chan => {
                let Ty::Chan(of) = &expr.ty else { unreachable!("it was checked") };
                (natives::chan as *const (), true, vec![self.known_word(of)?])
            }
            Op::Send => {
                let site = self.unit.kept.sites.add(expr.at.line) as i64;
                (natives::send as *const (), false, vec![self.word(site)])
            }
            Op::Close => (natives::close as *const (), false, Vec::new()),
            Op::Sleep => (natives::sleep as *const (), false, Vec::new()),
            Op::Clock => (natives::clock as *const (), false, Vec::new()),
            _ => unreachable!("it is arithmetic"),
        };
        let all: Vec<_> = given.iter().copied().chain(more).collect();
        Ok(self.native(function, values, &all))
    }

    fn compare(&mut self, code: IntCC, left: Value, right: Value) -> Value {
        let bit = self.b.ins().icmp(code, left, right);
        self.b.ins().uextend(I64, bit)
    }

    /// A division by zero traps.
    fn arithmetic(&mut self, op: Op, left: Value, right: Value) -> Option<Value> {
        let compare = match op {
            Op::Less => IntCC::SignedLessThan,
            Op::LessEqual => IntCC::SignedLessThanOrEqual,
            Op::Greater => IntCC::SignedGreaterThan,
            Op::GreaterEqual => IntCC::SignedGreaterThanOrEqual,
            _ => {
                let ins = self.b.ins();
                return Some(match op {
                    Op::Add => ins.iadd(left, right),
                    Op::Sub => ins.isub(left, right),
                    Op::Mul => ins.imul(left, right),
                    Op::Div => ins.sdiv(left, right),
                    Op::Rem => ins.srem(left, right),
                    Op::And => ins.band(left, right),
                    Op::Or => ins.bor(left, right),
                    Op::Xor => ins.bxor(left, right),
                    Op::Shl => ins.ishl(left, right),
                    Op::Shr => ins.sshr(left, right),
                    _ => return None,
                });
            }
        };
        Some(self.compare(compare, left, right))
    }

    fn nth(&mut self, given: &[Value], ty: &Ty) -> Value {
        let [found, missing] = [(); 2].map(|()| self.b.create_block());
        let (vec, index) = (given[0], given[1]);
        let length = self.b.ins().load(I64, MemFlags::trusted(), vec, 0);
        let is_there = self.b.ins().icmp(IntCC::UnsignedLessThan, index, length);

        self.b.ins().brif(is_there, found, &[], missing, &[]);
        self.b.set_cold_block(missing);
        self.b.switch_to_block(missing);
        self.native(natives::not_there as *const (), false, &[index, length]);
        self.b.ins().trap(TrapCode::HEAP_OUT_OF_BOUNDS);
        self.b.switch_to_block(found);
        let data = self.b.ins().load(I64, MemFlags::trusted(), vec, 16);
        let offset = self.b.ins().ishl_imm(index, 3);
        let at = self.b.ins().iadd(data, offset);
        let element = self.b.ins().load(I64, MemFlags::trusted(), at, 0);
        self.share(element, ty);
        element
    }
}
