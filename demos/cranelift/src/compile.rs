//! The compiler: a function's form to machine code, by Cranelift.
//!
//! Code calls through the view of its task, whose address is in the pinned register:
//! load the view's table, load the slot, call. So it has no relocations, and its calls
//! reach what the task's version has. Each function begins with a safepoint, which is
//! the header of its loop as well: a call of itself in tail position jumps there. If a
//! new version waits, the safepoint lets the task adopt it. Then, and if something that
//! was called has adopted one, the function calls itself through its slot, in tail
//! position: so a loop goes on in new code, and holds none of the old.
//!
//! A value is a word, an integer.

use crate::read::{Complaint, Form, Node};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, Function, InstBuilder, MemFlags, Signature, UserFuncName, Value,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

/// Where `struct brolga_view` has what (brolga/got.h).
const VIEW_SLOTS: i32 = 0;
const VIEW_SEEN: i32 = 8;
const VIEW_ROUND: i32 = 16;

/// `(defn name [parameters] body...)`
#[derive(Debug, Clone)]
pub struct Defn {
    pub name: String,
    pub line: u32,
    pub params: Vec<String>,
    pub body: Vec<Node>,
}

impl Defn {
    /// All definitions of a file.
    pub fn all(forms: Vec<Node>) -> Result<Vec<Self>, Complaint> {
        forms.into_iter().map(Self::of).collect()
    }

    fn of(node: Node) -> Result<Self, Complaint> {
        let line = node.line;
        let usage = || Complaint::new(line, "expected (defn name [parameters] body)");
        let Form::List(mut forms) = node.form else {
            return Err(usage());
        };

        if forms.len() < 4 || forms[0].form != Form::Name("defn".into()) {
            return Err(usage());
        }
        let body = forms.split_off(3);
        let (Form::Name(name), Form::Vector(params)) = (&forms[1].form, &forms[2].form) else {
            return Err(usage());
        };
        let params = params.iter().map(|param| match &param.form {
            Form::Name(name) => Ok(name.clone()),
            _ => Err(Complaint::new(param.line, "a parameter is a name")),
        });
        Ok(Self { name: name.clone(), line, params: params.collect::<Result<_, _>>()?, body })
    }
}

/// The signature of functions with so many parameters, as slots have it.
pub fn signature_text(params: usize) -> String {
    format!("(Fn [{}] Int)", vec!["Int"; params].join(" "))
}

/// A function of the host's that code may call.
#[derive(Clone, Copy)]
pub struct Native {
    pub name: &'static str,
    pub params: usize,
    pub address: usize,
}

/// Says in which slot a function is: its name, how many arguments, the line.
pub type Resolve<'a> = dyn FnMut(&str, usize, u32) -> Result<u32, Complaint> + 'a;

pub struct Compiler {
    isa: OwnedTargetIsa,
    natives: Vec<Native>,
    /// brolga_safepoint_slow()
    safepoint: usize,
}

impl Compiler {
    pub fn new(natives: Vec<Native>, safepoint: usize) -> Result<Self, String> {
        let mut flags = settings::builder();
        for (name, value) in [("enable_pinned_reg", "true"), ("opt_level", "speed")] {
            flags.set(name, value).map_err(|error| error.to_string())?;
        }
        // Tail calls need frame pointers, and so do backtraces.
        flags.set("preserve_frame_pointers", "true").map_err(|error| error.to_string())?;
        let isa = cranelift_native::builder()?
            .finish(settings::Flags::new(flags))
            .map_err(|error| error.to_string())?;
        Ok(Self { isa, natives, safepoint })
    }

    fn signature(&self, conv: CallConv, params: usize) -> Signature {
        let mut signature = Signature::new(conv);
        signature.params.extend(std::iter::repeat_n(AbiParam::new(I64), params));
        signature.returns.push(AbiParam::new(I64));
        signature
    }

    /// C: `word enter(view, slot, arguments...)`, which calls a slot in the task of that
    /// view. No frame keeps the address that it calls: that would keep its code.
    pub fn enter(&self, params: usize) -> Result<Vec<u8>, String> {
        let signature = self.signature(self.isa.default_call_conv(), params + 2);
        let mut context = Context::for_function(Function::with_name_signature(
            UserFuncName::default(),
            signature,
        ));
        let mut frontend = FunctionBuilderContext::new();
        let mut b = FunctionBuilder::new(&mut context.func, &mut frontend);
        let entry = b.create_block();

        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let args = b.block_params(entry).to_vec();
        let callee = b.import_signature(self.signature(CallConv::Tail, params));
        // The register is the caller's when no task's code runs.
        let outer = b.ins().get_pinned_reg(I64);
        b.ins().set_pinned_reg(args[0]);
        let slots = b.ins().load(I64, MemFlags::trusted(), args[0], VIEW_SLOTS);
        let offset = b.ins().imul_imm(args[1], 8);
        let at = b.ins().iadd(slots, offset);
        let code = b.ins().load(I64, MemFlags::trusted(), at, 0);
        let call = b.ins().call_indirect(callee, code, &args[2..]);
        let result = b.inst_results(call)[0];
        b.ins().set_pinned_reg(outer);
        b.ins().return_(&[result]);
        b.seal_all_blocks();
        b.finalize();
        self.finish(&mut context)
    }

    /// The machine code of a function. It can lie anywhere.
    pub fn function(&self, defn: &Defn, resolve: &mut Resolve) -> Result<Vec<u8>, Complaint> {
        let signature = self.signature(CallConv::Tail, defn.params.len());
        let mut context = Context::for_function(Function::with_name_signature(
            UserFuncName::default(),
            signature,
        ));
        let mut frontend = FunctionBuilderContext::new();
        let mut b = FunctionBuilder::new(&mut context.func, &mut frontend);
        let entry = b.create_block();
        let header = b.create_block();

        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let view = b.ins().get_pinned_reg(I64);
        let seen = b.ins().load(I64, MemFlags::trusted(), view, VIEW_SEEN);
        let args: Vec<BlockArg> = b.block_params(entry).iter().map(|&arg| arg.into()).collect();
        b.ins().jump(header, &args);
        for _ in &defn.params {
            b.append_block_param(header, I64);
        }
        b.switch_to_block(header);
        let params = b.block_params(header).to_vec();
        let mut body = Body {
            compiler: self,
            defn,
            header,
            seen,
            names: defn.params.iter().cloned().zip(params.iter().copied()).collect(),
            resolve,
            b: &mut b,
        };
        body.safepoint(&params)?;
        body.sequence(&defn.body, true)?;
        b.seal_all_blocks();
        b.finalize();
        self.finish(&mut context).map_err(|text| Complaint::new(defn.line, text))
    }

    fn finish(&self, context: &mut Context) -> Result<Vec<u8>, String> {
        let code = context
            .compile(&*self.isa, &mut ControlPlane::default())
            .map_err(|error| format!("{:?}", error.inner))?;

        if !code.buffer.relocs().is_empty() {
            return Err("it needs relocations, which nobody does here".into());
        }
        Ok(code.code_buffer().to_vec())
    }
}

/// A function that is being compiled.
struct Body<'a, 'b, 'r> {
    compiler: &'a Compiler,
    defn: &'a Defn,
    header: Block,
    /// The round that the task had seen when the function began.
    seen: Value,
    /// The innermost last.
    names: Vec<(String, Value)>,
    resolve: &'a mut Resolve<'r>,
    b: &'a mut FunctionBuilder<'b>,
}

/// What an expression has come to.
enum Come {
    Value(Value),
    /// It was in tail position, and has left.
    Left,
}

impl Body<'_, '_, '_> {
    /// The round is loaded as an atomic: other loads could be taken for the same.
    fn safepoint(&mut self, params: &[Value]) -> Result<(), Complaint> {
        let (stale, fresh) = (self.b.create_block(), self.b.create_block());
        let view = self.b.ins().get_pinned_reg(I64);
        let seen = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_SEEN);
        let round = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_ROUND);
        let round = self.b.ins().atomic_load(I64, MemFlags::trusted(), round);
        let differ = self.b.ins().icmp(IntCC::NotEqual, seen, round);

        self.b.ins().brif(differ, stale, &[], fresh, &[]);
        self.b.set_cold_block(stale);
        self.b.switch_to_block(stale);
        let conv = self.compiler.isa.default_call_conv();
        let slow = self.b.import_signature(Signature::new(conv));
        let address = self.address(self.compiler.safepoint);
        self.b.ins().call_indirect(slow, address, &[]);
        let line = self.defn.line;
        let name = self.defn.name.clone();
        self.call_slot(&name, params, line, true)?;
        self.b.switch_to_block(fresh);
        Ok(())
    }

    fn address(&mut self, address: usize) -> Value {
        self.b.ins().iconst(I64, address as i64)
    }

    /// Expressions one after the other; the last one's value counts.
    fn sequence(&mut self, nodes: &[Node], tail: bool) -> Result<Come, Complaint> {
        let Some((last, first)) = nodes.split_last() else {
            return Err(Complaint::new(self.defn.line, "there is nothing in it"));
        };
        for node in first {
            self.value(node)?;
        }
        match self.expression(last, tail)? {
            Come::Value(value) if tail => {
                self.b.ins().return_(&[value]);
                Ok(Come::Left)
            }
            come => Ok(come),
        }
    }

    fn value(&mut self, node: &Node) -> Result<Value, Complaint> {
        match self.expression(node, false)? {
            Come::Value(value) => Ok(value),
            Come::Left => unreachable!("only what is in tail position leaves"),
        }
    }

    fn expression(&mut self, node: &Node, tail: bool) -> Result<Come, Complaint> {
        match &node.form {
            Form::Int(number) => Ok(Come::Value(self.b.ins().iconst(I64, *number))),
            Form::Name(name) => self
                .names
                .iter()
                .rev()
                .find(|(known, _)| known == name)
                .map(|(_, value)| Come::Value(*value))
                .ok_or_else(|| Complaint::new(node.line, format!("{name} is not defined"))),
            Form::Vector(_) => Err(Complaint::new(node.line, "there are no vectors yet")),
            Form::List(forms) => match forms.split_first() {
                Some((Node { form: Form::Name(head), .. }, rest)) => {
                    self.form(head, rest, node.line, tail)
                }
                _ => Err(Complaint::new(node.line, "a call begins with a name")),
            },
        }
    }

    fn form(
        &mut self,
        head: &str,
        rest: &[Node],
        line: u32,
        tail: bool,
    ) -> Result<Come, Complaint> {
        match (head, rest) {
            ("if", [condition, yes, no]) => self.if_(condition, yes, no, tail),
            ("if", _) => Err(Complaint::new(line, "expected (if condition then else)")),
            ("let", [Node { form: Form::Vector(bindings), .. }, body @ ..]) => {
                self.let_(bindings, body, line, tail)
            }
            ("let", _) => Err(Complaint::new(line, "expected (let [name value ...] body)")),
            ("do", body) => self.sequence(body, tail),
            _ => {
                let args = rest.iter().map(|node| self.value(node));
                let args = args.collect::<Result<Vec<_>, _>>()?;
                self.call(head, &args, line, tail)
            }
        }
    }

    fn if_(
        &mut self,
        condition: &Node,
        yes: &Node,
        no: &Node,
        tail: bool,
    ) -> Result<Come, Complaint> {
        let condition = self.value(condition)?;
        let [then, other, join] = [(); 3].map(|()| self.b.create_block());
        let result = self.b.append_block_param(join, I64);

        self.b.ins().brif(condition, then, &[], other, &[]);
        for (block, branch) in [(then, yes), (other, no)] {
            self.b.switch_to_block(block);
            if let Come::Value(value) = self.sequence(std::slice::from_ref(branch), tail)? {
                self.b.ins().jump(join, &[value.into()]);
            }
        }
        if tail {
            return Ok(Come::Left);
        }
        self.b.switch_to_block(join);
        Ok(Come::Value(result))
    }

    fn let_(
        &mut self,
        bindings: &[Node],
        body: &[Node],
        line: u32,
        tail: bool,
    ) -> Result<Come, Complaint> {
        let outer = self.names.len();

        for binding in bindings.chunks(2) {
            let [Node { form: Form::Name(name), .. }, value] = binding else {
                return Err(Complaint::new(line, "expected (let [name value ...] body)"));
            };
            let value = self.value(value)?;
            self.names.push((name.clone(), value));
        }
        let come = self.sequence(body, tail)?;
        self.names.truncate(outer);
        Ok(come)
    }

    fn call(
        &mut self,
        name: &str,
        args: &[Value],
        line: u32,
        tail: bool,
    ) -> Result<Come, Complaint> {
        if let Some(value) = self.arithmetic(name, args) {
            return Ok(Come::Value(value));
        }
        let native = self.compiler.natives.iter().find(|native| native.name == name).copied();
        if let Some(native) = native {
            return self.call_native(native, args, line);
        }
        if tail && name == self.defn.name && args.len() == self.defn.params.len() {
            return self.again(args, line);
        }
        self.call_slot(name, args, line, tail)
    }

    /// A call of itself in tail position: a jump, unless the task has been at a safepoint
    /// with something new since the function began, in what it has called.
    fn again(&mut self, args: &[Value], line: u32) -> Result<Come, Complaint> {
        let (jump, call) = (self.b.create_block(), self.b.create_block());
        let view = self.b.ins().get_pinned_reg(I64);
        let seen = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_SEEN);
        let differ = self.b.ins().icmp(IntCC::NotEqual, seen, self.seen);

        self.b.ins().brif(differ, call, &[], jump, &[]);
        self.b.switch_to_block(jump);
        let to_header: Vec<BlockArg> = args.iter().map(|&arg| arg.into()).collect();
        self.b.ins().jump(self.header, &to_header);
        self.b.set_cold_block(call);
        self.b.switch_to_block(call);
        let name = self.defn.name.clone();
        self.call_slot(&name, args, line, true)
    }

    fn arithmetic(&mut self, name: &str, args: &[Value]) -> Option<Value> {
        let &[left, right] = args else { return None };
        let compare = match name {
            "=" => IntCC::Equal,
            "<" => IntCC::SignedLessThan,
            "<=" => IntCC::SignedLessThanOrEqual,
            ">" => IntCC::SignedGreaterThan,
            ">=" => IntCC::SignedGreaterThanOrEqual,
            "+" => return Some(self.b.ins().iadd(left, right)),
            "-" => return Some(self.b.ins().isub(left, right)),
            "*" => return Some(self.b.ins().imul(left, right)),
            "/" => return Some(self.b.ins().sdiv(left, right)),
            "%" => return Some(self.b.ins().srem(left, right)),
            _ => return None,
        };
        let bit = self.b.ins().icmp(compare, left, right);
        Some(self.b.ins().uextend(I64, bit))
    }

    fn call_native(
        &mut self,
        native: Native,
        args: &[Value],
        line: u32,
    ) -> Result<Come, Complaint> {
        if args.len() != native.params {
            let text = format!("{} takes {}, not {}", native.name, native.params, args.len());
            return Err(Complaint::new(line, text));
        }
        let conv = self.compiler.isa.default_call_conv();
        let signature = self.b.import_signature(self.compiler.signature(conv, args.len()));
        let address = self.address(native.address);
        let call = self.b.ins().call_indirect(signature, address, args);
        Ok(Come::Value(self.b.inst_results(call)[0]))
    }

    /// The two loads of a call: the table of the task's version, and the slot. Both are
    /// done anew for each call.
    fn call_slot(
        &mut self,
        name: &str,
        args: &[Value],
        line: u32,
        tail: bool,
    ) -> Result<Come, Complaint> {
        let slot = (self.resolve)(name, args.len(), line)?;
        let offset = i32::try_from(slot * 8).map_err(|_| Complaint::new(line, "no such slot"))?;
        let signature = self.compiler.signature(CallConv::Tail, args.len());
        let signature = self.b.import_signature(signature);
        let view = self.b.ins().get_pinned_reg(I64);
        let slots = self.b.ins().load(I64, MemFlags::trusted(), view, VIEW_SLOTS);
        let code = self.b.ins().load(I64, MemFlags::trusted(), slots, offset);

        if tail {
            self.b.ins().return_call_indirect(signature, code, args);
            return Ok(Come::Left);
        }
        let call = self.b.ins().call_indirect(signature, code, args);
        Ok(Come::Value(self.b.inst_results(call)[0]))
    }
}
