//! Money: reserved before a call by the most that it can cost, settled after it.
//!
//! Invariants:
//! 1. `spent + unsure + reserved <= limit` whenever no server bills more than the reservation.
//! 2. A reservation that is dropped unsettled counts as spent: what the call cost is not known.
//!
//! Counted in whole pico-dollars (10^-12), because sums of binary fractions drift; costs are rounded up.

use std::sync::{Condvar, Mutex};

use super::patience::{Patience, Stop, locked};

const PICO: f64 = 1e12;

/// Why nothing could be reserved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NoMoney {
    Stop(Stop),
    /// What stands in the books, in US dollars.
    Spent {
        limit_usd: f64,
        spent_usd: f64,
        unsure_usd: f64,
        asked_usd: f64,
    },
}

#[derive(Debug, Default)]
struct Books {
    spent: u64,
    unsure: u64,
    reserved: u64,
}

/// The budget of all judges that share a client.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    limit: Option<u64>,
    books: Mutex<Books>,
    settled: Condvar,
}

/// Money put aside for one call.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    budget: &'a Budget,
    amount: u64,
    open: bool,
}

impl Budget {
    pub fn new(limit_usd: Option<f64>) -> Self {
        Self {
            // Rounded down, where costs are rounded up.
            limit: limit_usd.map(|usd| (usd * PICO).floor() as u64),
            ..Self::default()
        }
    }

    /// Puts money aside. When it does not fit, but other calls hold reservations, waits for what
    /// they give back.
    pub fn reserve(
        &self,
        most_usd: f64,
        patience: &Patience<'_>,
    ) -> Result<Reservation<'_>, NoMoney> {
        let amount = pico(most_usd);
        let mut books = locked(&self.books);
        loop {
            patience.check().map_err(NoMoney::Stop)?;
            if self.fits(&books, amount) {
                books.reserved = books.reserved.saturating_add(amount);
                return Ok(Reservation {
                    budget: self,
                    amount,
                    open: true,
                });
            }
            if books.reserved == 0 {
                return Err(self.refusal(&books, amount));
            }
            books = match self.settled.wait_timeout(books, patience.slice()) {
                Ok((books, _)) => books,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// What calls cost by their servers' word, in US dollars.
    pub fn spent_usd(&self) -> f64 {
        usd(locked(&self.books).spent)
    }

    /// What calls may have cost whose servers did not say, in US dollars.
    pub fn unsure_usd(&self) -> f64 {
        usd(locked(&self.books).unsure)
    }

    fn fits(&self, books: &Books, amount: u64) -> bool {
        let taken = books.spent.saturating_add(books.unsure);
        let wanted = taken.saturating_add(books.reserved).saturating_add(amount);
        self.limit.is_none_or(|limit| wanted <= limit)
    }

    fn refusal(&self, books: &Books, amount: u64) -> NoMoney {
        NoMoney::Spent {
            limit_usd: usd(self.limit.unwrap_or(u64::MAX)),
            spent_usd: usd(books.spent),
            unsure_usd: usd(books.unsure),
            asked_usd: usd(amount),
        }
    }
}

impl Reservation<'_> {
    /// The call cost so much, in US dollars.
    pub fn settle(self, cost_usd: f64) {
        self.close(pico(cost_usd), 0);
    }

    /// The call cost nothing.
    pub fn free(self) {
        self.close(0, 0);
    }

    fn close(mut self, spent: u64, unsure: u64) {
        self.enter(spent, unsure);
    }

    fn enter(&mut self, spent: u64, unsure: u64) {
        let mut books = locked(&self.budget.books);
        books.reserved = books.reserved.saturating_sub(self.amount);
        books.spent = books.spent.saturating_add(spent);
        books.unsure = books.unsure.saturating_add(unsure);
        self.open = false;
        drop(books);
        self.budget.settled.notify_all();
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.open {
            self.enter(0, self.amount);
        }
    }
}

/// Rounded up; what is no number counts as the most there is.
fn pico(usd: f64) -> u64 {
    if usd.is_nan() {
        return u64::MAX;
    }
    (usd.max(0.0) * PICO).ceil() as u64
}

fn usd(pico: u64) -> f64 {
    pico as f64 / PICO
}
