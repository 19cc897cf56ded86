//! A wake-up between two tasks of one shard.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// At most one task waits; a notification that nobody waits for is kept for the next wait.
#[derive(Default)]
pub struct Notify {
    notified: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Notify {
    pub fn notify(&self) {
        self.notified.set(true);
        if let Some(waker) = self.waiter.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits for a notification and takes it. Cancel-safe.
    pub async fn notified(&self) {
        poll_fn(|cx| {
            if self.notified.take() {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Any number of tasks wait; one call wakes them all.
#[derive(Default)]
pub struct NotifyAll {
    round: Cell<u64>,
    waiters: RefCell<Vec<Waker>>,
}

impl NotifyAll {
    pub fn notify_all(&self) {
        self.round.set(self.round.get() + 1);
        for waker in self.waiters.take() {
            waker.wake();
        }
    }

    /// Waits for the next call of `notify_all`. Cancel-safe.
    pub async fn notified(&self) {
        let round = self.round.get();
        poll_fn(|cx| {
            if self.round.get() != round {
                return Poll::Ready(());
            }
            self.waiters.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
