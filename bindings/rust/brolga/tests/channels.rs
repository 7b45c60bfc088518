//! Goal: whatever is sent is received once, given back, or dropped.
//!
//! Method: values of every size and kind; what must be dropped is counted by an `Arc`.

use brolga::{Chan, Deadline, Error, Runtime, channel};
use std::fmt::Debug;
use std::sync::Arc;

fn crosses<T: Clone + PartialEq + Debug + Send + 'static>(value: T) {
    let rt = Runtime::builder().workers(1).build().unwrap();
    let chan = Chan::bounded(0).unwrap();
    let (sender, sent) = (chan.clone(), value.clone());
    let task = rt.spawn(move || sender.send(sent)).unwrap();

    assert_eq!(rt.run("main", || chan.recv().unwrap()).unwrap(), value);
    task.join().unwrap().unwrap();
    let full = Chan::bounded(1).unwrap();
    full.try_send(value.clone()).unwrap();
    let refused = full.try_send(value.clone()).unwrap_err();
    assert_eq!((refused.value, refused.error), (value.clone(), Error::WouldWait));
    assert_eq!(full.try_recv().unwrap(), value);
    assert_eq!(full.try_recv(), Err(Error::WouldWait));
}

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(128))]
struct Aligned(u8);

#[test]
fn values_of_every_size_cross() {
    crosses(-1_i64);
    crosses(2.5_f64);
    crosses(7_u8);
    crosses(true);
    crosses('ä');
    crosses((1_u32, 2_u8));
    crosses((1_u8, 2_u64, [3_u16; 5]));
    crosses([9_u64; 40]);
    crosses(());
    crosses(Aligned(5));
    crosses(u128::MAX);
    crosses("static");
    crosses(String::from("owned"));
    crosses(vec![Some(Box::new(1)), None]);
}

#[test]
fn what_nobody_receives_is_dropped() {
    let owned = Arc::new(());
    let chan = Chan::bounded(4).unwrap();

    for _ in 0..3 {
        chan.try_send(owned.clone()).unwrap();
    }
    drop(chan.try_recv().unwrap());
    assert_eq!((Arc::strong_count(&owned), chan.len()), (3, 2));
    drop(chan);
    assert_eq!(Arc::strong_count(&owned), 1);
}

struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("in a drop");
    }
}

#[test]
fn a_panic_in_a_drop_stays_out_of_the_library() {
    let owned = Arc::new(());
    let chan = Chan::bounded(2).unwrap();

    chan.try_send((Some(Panics), owned.clone())).unwrap();
    chan.try_send((None, owned.clone())).unwrap();
    drop(chan);
    assert_eq!(Arc::strong_count(&owned), 1);
}

#[test]
fn a_closed_channel_gives_the_value_back() {
    let rt = Runtime::new().unwrap();
    let chan = Chan::bounded(2).unwrap();

    chan.try_send(String::from("last")).unwrap();
    assert_eq!(chan.reason(), None);
    chan.close_because(-7, "enough").unwrap();
    assert_eq!(chan.close(), Err(Error::Closed));
    assert_eq!(chan.reason(), Some((-7, "enough".into())));
    let refused = rt.run("main", || chan.send(String::from("late"))).unwrap().unwrap_err();
    assert_eq!((refused.value.as_str(), refused.error), ("late", Error::Closed));
    assert_eq!(chan.try_recv().unwrap(), "last");
    assert_eq!(chan.try_recv(), Err(Error::Closed));
}

#[test]
fn waiting_is_for_tasks_and_has_deadlines() {
    let rt = Runtime::new().unwrap();
    let chan = Chan::<String>::named("words", 1).unwrap();

    assert_eq!(chan.name(), "words");
    assert_eq!(chan.recv(), Err(Error::State));
    assert_eq!(chan.send(String::new()).unwrap_err().error, Error::State);
    rt.run("main", || {
        assert_eq!(chan.recv_by(Deadline::NOW), Err(Error::Timeout));
        chan.send(String::from("one")).unwrap();
        let refused = chan.send_by(String::from("two"), Deadline::NOW).unwrap_err();
        assert_eq!((refused.value.as_str(), refused.error), ("two", Error::Timeout));
    })
    .unwrap();
}

#[test]
fn the_last_sender_closes_and_the_last_receiver_drops() {
    let (sender, receiver) = channel::<Arc<()>>(4).unwrap();
    let owned = Arc::new(());
    let second = sender.clone();

    drop(sender);
    second.try_send(owned.clone()).unwrap();
    drop(second);
    assert!(receiver.try_recv().is_ok());
    assert_eq!(receiver.try_recv(), Err(Error::Closed));

    let (sender, receiver) = channel(4).unwrap();
    sender.try_send(owned.clone()).unwrap();
    drop(receiver);
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(sender.clone().try_send(owned.clone()).unwrap_err().error, Error::Closed);
}

#[test]
fn an_answer_closes_its_channel() {
    let answer = Chan::one_shot().unwrap();

    answer.try_send(42_i64).unwrap();
    assert_eq!(answer.try_send(43).unwrap_err().error, Error::Closed);
    assert_eq!(answer.try_recv(), Ok(42));
    assert_eq!(answer.try_recv(), Err(Error::Closed));
}
