//! A session with a loaded platform: its functions by family and element type,
//! and the channels and tasks that calls need as arguments.

use crate::abi::Word;
use crate::closure::{self, io};
use crate::library::{Function, Library};
use crate::sig::Type;
use crate::value::{build, release, sample, Data};

pub struct Session {
    pub library: Library,
    /// Suffix and type of each element, by what the channels carry.
    pub elements: Vec<(String, Type)>,
}

impl Session {
    pub fn new(library: Library) -> Session {
        let element = |f: &Function| {
            let suffix = f.name.strip_prefix("chan-")?;
            let of = f.result.args_of("Chan")?;
            library
                .functions
                .contains_key(&format!("send-{suffix}"))
                .then(|| (suffix.to_string(), of[0].clone()))
        };
        let mut elements: Vec<_> = library.functions.values().filter_map(element).collect();
        elements.sort_by(|a, b| a.0.cmp(&b.0));
        Session { library, elements }
    }

    pub fn call(&self, family: &str, suffix: &str, args: &[Word]) -> Word {
        let name = format!("{family}-{suffix}");
        match self.library.functions.get(&name) {
            Some(function) => function.call(args),
            None => panic!("there is no {name}"),
        }
    }

    /// The same, where only the type is known.
    pub fn call_of(&self, family: &str, of: &Type, args: &[Word]) -> Word {
        let element = self.elements.iter().find(|(_, known)| known == of);
        let (suffix, _) = element.unwrap_or_else(|| panic!("no functions for {of}"));
        self.call(family, suffix, args)
    }

    /// An unbounded channel that has these in it.
    pub fn channel(&self, of: &Type, values: &[Data]) -> Word {
        let ch = self.call_of("chan-unbounded", of, &[]);
        for value in values {
            let word = build(of, value);
            assert_eq!(self.call_of("send", of, &[ch, word]), 1);
            release(of, word);
        }
        ch
    }

    /// A task whose result is `returned(of, &[])`.
    pub fn task(&self, of: &Type) -> Word {
        let type_of = of.clone();
        let body = closure::make(0, &[], move |_, _| io(build(&type_of, &returned(&type_of, &[]))));
        let task = self.call_of("spawn", of, &[body]);
        release(&Type::Fn(vec![], Box::new(of.clone())), body);
        task
    }
}

/// What functions of the program return here: something that only equal
/// arguments give, as far as the type has so many values.
pub fn returned(of: &Type, args: &[Data]) -> Data {
    let digest = format!("{args:?}")
        .bytes()
        .fold(7_u32, |all, byte| all.wrapping_mul(31).wrapping_add(u32::from(byte)));
    sample(of, i64::from(digest % 1000))
}
