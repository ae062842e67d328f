//! The request to stop, as sources see it.

use tokio::sync::watch;

/// Asks everything that holds the matching [`Shutdown`] to stop; also does so when dropped.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

/// Tells a component that it should stop taking new input.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl ShutdownTrigger {
    /// A trigger and what it triggers.
    #[must_use]
    pub fn new() -> (Self, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Shutdown(receiver))
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Whether stopping was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Completes when stopping is asked for.
    pub async fn requested(&mut self) {
        // An error means that the trigger is gone, which asks for the same.
        let _gone = self.0.wait_for(|requested| *requested).await;
    }
}
