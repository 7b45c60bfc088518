//! Where code lies: functions that have been compiled become a block of Brolga's code
//! memory, and that a unit, which Brolga frees when it is proven that nothing runs in it.
//!
//! A block has the functions, and behind them a section `.eh_frame` that describes their
//! frames: so unwinders, debuggers and profilers find their way through them.

use brolga::code::{Block, Function, Memory, Policy, Sealed};
use brolga::{Error, Transaction, Unit};
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::isa::unwind::UnwindInfo;
use gimli::RunTimeEndian;
use gimli::write::{Address, EhFrame, EndianVec, FrameTable};
use std::ops::Range;

/// A function of machine code that can lie anywhere, but for what is in `links`.
pub struct Compiled {
    pub name: String,
    pub line: u32,
    pub bytes: Vec<u8>,
    pub links: Vec<Link>,
    pub unwind: Option<UnwindInfo>,
}

/// A place in a function that is to have the address of another of the same block.
pub struct Link {
    pub at: usize,
    pub kind: Reloc,
    /// The number of the function that is meant.
    pub target: usize,
    pub addend: i64,
}

/// Functions that can run, and are in no unit yet.
pub struct Loaded {
    block: Sealed,
    starts: Vec<usize>,
    functions: Vec<Function>,
    frames: Range<usize>,
}

/// Put functions into a block, and let it run.
pub fn load(
    memory: &Memory,
    isa: &dyn TargetIsa,
    file: &str,
    compiled: &[Compiled],
) -> Result<Loaded, String> {
    let mut starts = Vec::new();
    let mut end = 0_usize;

    for function in compiled {
        starts.push(end);
        end = (end + function.bytes.len()).next_multiple_of(16);
    }
    // How long the descriptions are does not depend on where the block is.
    let frames_bytes = frames(isa, compiled, &starts, 0)?.len();
    let mut block = memory.alloc(end + frames_bytes).map_err(|error| error.to_string())?;
    let base = block.run() as usize;
    let described = frames(isa, compiled, &starts, base)?;

    for (function, start) in compiled.iter().zip(&starts) {
        let bytes = &mut block.bytes_mut()[*start..][..function.bytes.len()];
        bytes.copy_from_slice(&function.bytes);
    }
    for (function, start) in compiled.iter().zip(&starts) {
        for link in &function.links {
            apply(&mut block, start + link.at, link, base + starts[link.target])?;
        }
    }
    block.bytes_mut()[end..][..described.len()].copy_from_slice(&described);
    let functions = compiled.iter().zip(&starts).map(|(function, start)| {
        Function::new(&function.name, *start..start + function.bytes.len()).at(file, function.line)
    });
    Ok(Loaded {
        block: block.seal().map_err(|error| error.to_string())?,
        functions: functions.collect(),
        frames: end..end + described.len(),
        starts,
    })
}

/// A section .eh_frame, with its end, for functions of a block at that address.
fn frames(
    isa: &dyn TargetIsa,
    compiled: &[Compiled],
    starts: &[usize],
    base: usize,
) -> Result<Vec<u8>, String> {
    let cie = isa.create_systemv_cie().ok_or("there are no descriptions of frames here")?;
    let mut table = FrameTable::default();
    let cie = table.add_cie(cie);

    for (function, start) in compiled.iter().zip(starts) {
        if let Some(UnwindInfo::SystemV(info)) = &function.unwind {
            table.add_fde(cie, info.to_fde(Address::Constant((base + start) as u64)));
        }
    }
    let mut section = EhFrame(EndianVec::new(RunTimeEndian::default()));
    table.write_eh_frame(&mut section).map_err(|error| error.to_string())?;
    let mut bytes = section.0.into_vec();
    bytes.extend([0; 4]);
    Ok(bytes)
}

/// The three ways in which functions of a block refer to each other.
fn apply(block: &mut Block, at: usize, link: &Link, target: usize) -> Result<(), String> {
    let from = block.run() as usize + at;
    let value = (target as i64).wrapping_add(link.addend);
    let offset = value.wrapping_sub(from as i64);
    let bytes = block.bytes_mut();

    match link.kind {
        Reloc::Abs8 => bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()),
        // Blocks are far smaller than what these reach.
        Reloc::X86CallPCRel4 | Reloc::X86PCRel4 => {
            bytes[at..at + 4].copy_from_slice(&(offset as i32).to_le_bytes());
        }
        Reloc::Arm64Call => {
            let old = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
            let new = old & !0x03ff_ffff | (offset >> 2) as u32 & 0x03ff_ffff;
            bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
        }
        kind => return Err(format!("a link of the kind {kind:?}, which is not known here")),
    }
    Ok(())
}

impl Loaded {
    /// Where a function begins, by its number.
    pub fn address(&self, function: usize) -> *const u8 {
        self.block.run().wrapping_add(self.starts[function])
    }

    /// Make a unit of it; `kept` is what its code points to.
    pub fn stage<K: Send + Sync + 'static>(
        self,
        txn: &mut Transaction,
        name: &str,
        policy: Policy,
        kept: K,
    ) -> Result<Unit, Error> {
        // SAFETY: The compiler has made it all. Closures pin the unit; nothing else but
        // stacks has addresses in it.
        unsafe { txn.code_unit(name, policy, self.block, &self.functions, self.frames, kept) }
    }
}
