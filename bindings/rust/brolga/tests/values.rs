//! Goal: values of a host cross as copies or whole, and errors say which part cannot.

use brolga::{Error, Runtime, Types, Value, ValueChan};

#[test]
fn a_copy_is_equal_and_another_object() {
    let types = Types::new(brolga::types::Model::CranelispLater).unwrap();
    let text = types.string("ganz schön").unwrap();
    let copy = text.try_clone().unwrap();

    assert_ne!(text.word(), copy.word());
    drop(text);
    assert_eq!(copy.as_str(), Some("ganz schön"));
    assert_eq!(types.int(-3).unwrap().word(), -3);
    assert_eq!(types.int(-3).unwrap().as_str(), None);
    // The registry lives as long as its values do.
    drop(types);
    assert_eq!(copy.type_().name(), "String");
}

#[test]
fn a_bad_type_is_explained_with_its_place() {
    let types = Types::new(Default::default()).unwrap();
    let Err(Error::Type(error)) = types.parse("(Vec Int\n Int)") else { panic!("one too many") };

    assert!(error.line >= 1 && !error.text.is_empty(), "{error}");
    types.define("(deftype (Box a) (Box [:a inner]))").unwrap();
    assert_eq!(types.define("(deftype (Box a) Empty)"), Err(Error::Exists));
    assert_eq!(types.parse("(Box Int)"), types.parse(" ( Box Int ) "));
    assert_eq!(types.parse("In\0t"), Err(Error::Invalid));
}

#[test]
fn a_value_that_cannot_cross_stays_and_says_why() {
    let rt = Runtime::new().unwrap();
    let types = Types::new(Default::default()).unwrap();
    let type_ = types.parse("(Fn [Int] Int)").unwrap();
    let chan = ValueChan::bounded(&type_, 1).unwrap();
    // SAFETY: An object of a code address and nothing else, which nobody knows.
    let closure = unsafe {
        let word = brolga::ffi::brolga_object_make(types.as_raw(), 8);
        (word as *mut i64).write(64);
        Value::from_word(&type_, word)
    };
    let error = rt.run("main", || chan.send(&closure)).unwrap().unwrap_err();

    let Error::Unsendable(why) = &error else { panic!("{error}") };
    assert!(!why.text.is_empty(), "{error}");
    assert!(matches!(chan.send(&types.int(1).unwrap()), Err(Error::Invalid)));
}

#[test]
fn a_value_given_to_a_closed_channel_comes_back() {
    let rt = Runtime::new().unwrap();
    let types = Types::new(Default::default()).unwrap();
    let chan = ValueChan::bounded(&types.parse("String").unwrap(), 1).unwrap();

    rt.run("main", || {
        chan.give(types.string("first").unwrap()).unwrap();
        chan.close().unwrap();
        let refused = chan.give(types.string("late").unwrap()).unwrap_err();
        assert_eq!((refused.value.as_str(), refused.error), (Some("late"), Error::Closed));
        assert_eq!(chan.recv().unwrap().as_str(), Some("first"));
        assert_eq!(chan.recv().unwrap_err(), Error::Closed);
    })
    .unwrap();
}
