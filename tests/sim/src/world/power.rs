//! Whether a process goes on: it may stand still for a while, or be over. Whatever it does to others passes by here.

use tokio::sync::watch;

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It runs.
    Running,
    /// It stands still, as after SIGSTOP. What it does inside has no effect yet, and what comes from outside waits.
    Paused,
    /// It is over: nothing it does has any effect ever.
    Over,
}

/// The switch.
#[derive(Debug, Clone)]
pub(super) struct Power(watch::Sender<Life>);

impl Power {
    /// On.
    pub(super) fn on() -> Self {
        Self(watch::Sender::new(Life::Running))
    }

    /// Changes it. Who is over stays so.
    pub(super) fn set(&self, life: Life) {
        self.0.send_if_modified(|now| {
            let changes = *now != Life::Over && *now != life;
            if changes {
                *now = life;
            }
            changes
        });
    }

    /// How it is.
    pub(super) fn life(&self) -> Life {
        *self.0.borrow()
    }

    /// Waits until the process runs; for ever, if it is over.
    pub(super) async fn passes(&self) {
        if self.life() == Life::Running {
            return;
        }
        let mut seen = self.0.subscribe();
        let runs = seen.wait_for(|life| *life == Life::Running);
        if runs.await.is_err() || self.life() == Life::Over {
            std::future::pending::<()>().await;
        }
    }

    /// Completes when the process is over.
    pub(super) async fn over(&self) {
        // The sender is here.
        let _ = self.0.subscribe().wait_for(|life| *life == Life::Over).await;
    }
}
