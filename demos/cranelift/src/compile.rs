//! The compiler: functions whose types are known to machine code, by Cranelift.
//!
//! Code calls through the view of its task, whose address is in the pinned register: load
//! the view's table, load the slot, call. So calls reach what the task's version has. (For
//! comparison it can call by cells at fixed addresses, and directly.)
//!
//! All functions of the language have the calling convention `Tail`; a closure's function
//! has the closure as its first argument.

use crate::body::Body;
use crate::expr::{Expr, Function, Name, Var};
use crate::memory::{Compiled, Link};
use crate::read::{Complaint, Place};
use crate::types::Ty;
use crate::values::{Known, Sites, Values};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{AbiParam, ExternalName, InstBuilder, MemFlags, Signature};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, FinalizedRelocTarget};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::collections::VecDeque;
use std::sync::Arc;

/// How code calls a function of a module.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Through the view: what the task's version has in that slot.
    Slot(u32),
    /// Through a cell at a fixed address, as hosts do that embed a table.
    Cell(usize),
    /// The function of that number in the same block, for good.
    Direct(usize),
}

/// Says how to call a function of that type.
pub type Resolve<'a> = dyn FnMut(&Name, &Ty, Place) -> Result<Target, Complaint> + 'a;

pub struct Compiler {
    isa: OwnedTargetIsa,
    pub values: Arc<Values>,
    /// brolga_safepoint_slow(); none: there are no safepoints.
    pub safepoint: Option<usize>,
}

/// A module's functions, in the order in which they were given, and behind them those of
/// closures.
pub struct Code {
    pub functions: Vec<Compiled>,
    /// The closures' functions: their numbers, and their captures' types.
    pub closures: Vec<(usize, Vec<Arc<Known>>)>,
    pub kept: Kept,
}

/// What a unit's code points to.
pub struct Kept {
    texts: Vec<Box<str>>,
    pub sites: Sites,
    _values: Arc<Values>,
}

impl Kept {
    /// Where a text stays, and how long it is.
    pub fn text(&mut self, text: &str) -> (*const u8, usize) {
        self.texts.push(text.into());
        let text = &self.texts[self.texts.len() - 1];
        (text.as_ptr(), text.len())
    }
}

/// A closure's function, which is yet to be compiled.
pub struct Pending {
    pub name: String,
    pub captures: Vec<Var>,
    pub params: Vec<Var>,
    pub body: Expr,
    pub ty: Ty,
}

/// A module that is being compiled.
pub struct Unit<'a> {
    pub compiler: &'a Compiler,
    pub module: &'a str,
    pub resolve: &'a mut Resolve<'a>,
    pub kept: Kept,
    /// The function that is being compiled.
    pub at: Place,
    symbol: &'a str,
    functions: usize,
    closures: Vec<(usize, Vec<Arc<Known>>)>,
    pending: VecDeque<Pending>,
}

impl Unit<'_> {
    /// A function for a closure, which will have this number.
    pub fn add_closure(&mut self, pending: Pending, captures: Vec<Arc<Known>>) -> usize {
        let number = self.functions + self.closures.len();

        self.closures.push((number, captures));
        self.pending.push_back(pending);
        number
    }

    pub fn closure_name(&self) -> String {
        format!("fn in {}", self.symbol)
    }
}

impl Compiler {
    pub fn new(values: Arc<Values>, safepoint: Option<usize>) -> Result<Self, String> {
        let mut flags = settings::builder();
        // Tail calls need frame pointers, and so do backtraces.
        let on = ["enable_pinned_reg", "preserve_frame_pointers"].map(|name| (name, "true"));
        for (name, value) in on.into_iter().chain([("opt_level", "speed")]) {
            flags.set(name, value).map_err(|error| error.to_string())?;
        }
        let isa = cranelift_native::builder()?
            .finish(settings::Flags::new(flags))
            .map_err(|error| error.to_string())?;
        Ok(Self { isa, values, safepoint })
    }

    pub fn isa(&self) -> &dyn TargetIsa {
        &*self.isa
    }

    pub fn signature(&self, conv: CallConv, params: usize) -> Signature {
        let mut signature = Signature::new(conv);
        signature.params.extend(std::iter::repeat_n(AbiParam::new(I64), params));
        signature.returns.push(AbiParam::new(I64));
        signature
    }

    /// The convention of the host's functions.
    pub fn host_conv(&self) -> CallConv {
        self.isa.default_call_conv()
    }

    /// Compile a module's functions.
    pub fn module<'a>(
        &'a self,
        module: &'a str,
        functions: &'a [Function],
        resolve: &'a mut Resolve<'a>,
    ) -> Result<Code, Complaint> {
        let mut unit = self.unit(module, functions.len(), resolve);
        let mut all = Vec::new();
        let mut closures = Vec::new();

        for function in functions {
            (unit.symbol, unit.at) = (&function.symbol, function.at);
            all.push(self.build(
                &mut unit,
                &function.symbol,
                function.params.len(),
                |unit, b| Body::function(unit, function, b),
            )?);
            closures.extend(self.closures(&mut unit, &function.types)?);
        }
        all.extend(closures);
        Ok(Code { functions: all, closures: unit.closures, kept: unit.kept })
    }

    /// Compile the body of a function without parameters as a closure's function.
    pub fn expression<'a>(
        &'a self,
        module: &'a str,
        function: &'a Function,
        resolve: &'a mut Resolve<'a>,
    ) -> Result<Code, Complaint> {
        let mut unit = self.unit(module, 0, resolve);
        let pending = Pending {
            name: function.symbol.clone(),
            captures: Vec::new(),
            params: Vec::new(),
            body: function.body.clone(),
            ty: function.ty.clone(),
        };

        (unit.symbol, unit.at) = (&function.symbol, function.at);
        unit.add_closure(pending, Vec::new());
        let functions = self.closures(&mut unit, &function.types)?;
        Ok(Code { functions, closures: unit.closures, kept: unit.kept })
    }

    fn unit<'a>(
        &'a self,
        module: &'a str,
        functions: usize,
        resolve: &'a mut Resolve<'a>,
    ) -> Unit<'a> {
        let values = Arc::clone(&self.values);
        let sites = Sites::new(&format!("{module}.lisp"));
        Unit {
            compiler: self,
            module,
            resolve,
            kept: Kept { texts: Vec::new(), sites, _values: values },
            at: Place::default(),
            symbol: "",
            functions,
            closures: Vec::new(),
            pending: VecDeque::new(),
        }
    }

    /// The functions of closures that wait for it, and of those in them: in the order of
    /// their numbers.
    fn closures(&self, unit: &mut Unit, types: &[Ty]) -> Result<Vec<Compiled>, Complaint> {
        let mut all = Vec::new();

        while let Some(pending) = unit.pending.pop_front() {
            unit.at = pending.body.at;
            all.push(self.build(unit, &pending.name, pending.params.len() + 1, |unit, b| {
                Body::closure(unit, &pending, types, b)
            })?);
        }
        Ok(all)
    }

    fn build<'u>(
        &self,
        unit: &mut Unit<'u>,
        name: &str,
        params: usize,
        body: impl FnOnce(&mut Unit<'u>, FunctionBuilder) -> Result<(), Complaint>,
    ) -> Result<Compiled, Complaint> {
        let mut context = Context::new();
        let mut frontend = FunctionBuilderContext::new();

        context.func.signature = self.signature(CallConv::Tail, params);
        body(unit, FunctionBuilder::new(&mut context.func, &mut frontend))?;
        self.finish(&mut context, name, unit.at.line)
            .map_err(|text| Complaint::new(unit.at, format!("{name}: {text}")))
    }

    /// C: `word enter(closure, arguments...)`, which calls a closure in the calling task.
    /// What is in `shares` gets a reference for the closure's function to take over. No
    /// frame keeps the address that it calls: that would keep its code.
    pub fn enter(&self, params: usize, shares: &[usize], view: usize) -> Result<Compiled, String> {
        let mut context = Context::new();
        let mut frontend = FunctionBuilderContext::new();

        context.func.signature = self.signature(self.host_conv(), params + 1);
        let mut b = FunctionBuilder::new(&mut context.func, &mut frontend);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let args = b.block_params(entry).to_vec();
        for &shared in shares {
            let at = crate::values::COUNT_AT;
            let count = b.ins().load(I64, MemFlags::trusted(), args[shared], at);
            let count = b.ins().iadd_imm(count, 1);
            b.ins().store(MemFlags::trusted(), count, args[shared], at);
        }
        let of_view = b.import_signature(self.signature(self.host_conv(), 0));
        let address = b.ins().iconst(I64, view as i64);
        let view = b.ins().call_indirect(of_view, address, &[]);
        let view = b.inst_results(view)[0];
        // The register is the caller's when no task's code runs.
        let outer = b.ins().get_pinned_reg(I64);
        b.ins().set_pinned_reg(view);
        let code = b.ins().load(I64, MemFlags::trusted(), args[0], 0);
        let callee = b.import_signature(self.signature(CallConv::Tail, params + 1));
        let call = b.ins().call_indirect(callee, code, &args);
        let result = b.inst_results(call)[0];
        b.ins().set_pinned_reg(outer);
        b.ins().return_(&[result]);
        b.seal_all_blocks();
        b.finalize();
        self.finish(&mut context, "enter", 0)
    }

    /// The machine code of what was built in a context.
    fn finish(&self, context: &mut Context, name: &str, line: u32) -> Result<Compiled, String> {
        let code = context
            .compile(self.isa(), &mut ControlPlane::default())
            .map_err(|error| format!("{:?}", error.inner))?;
        let unwind = code.create_unwind_info(self.isa()).map_err(|error| error.to_string())?;
        let bytes = code.code_buffer().to_vec();
        let relocs = code.buffer.relocs().to_vec();
        let names = context.func.params.user_named_funcs();
        let links = relocs.iter().map(|reloc| match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => Ok(Link {
                at: reloc.offset as usize,
                kind: reloc.kind,
                target: names[*name].index as usize,
                addend: reloc.addend,
            }),
            target => Err(format!("a link to {target:?}")),
        });
        let links = links.collect::<Result<_, String>>()?;

        Ok(Compiled { name: name.into(), line, bytes, links, unwind })
    }
}
