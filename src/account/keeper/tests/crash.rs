//! Killed between every two steps of a renewal, and a disk that is full: the old tokens or the new ones, never none.
//!
//! [`Mortal`] is a vault that dies at a chosen step and is dead from then on, as the process is; what it wrote before
//! lies in the real one. Then another keeper, the restarted relay, has only that.

use super::provider::{Office, Provider, cause};
use super::*;
use crate::account::vault::{Lease, Reply, Stored, VaultError};

/// Where the process dies. The steps stand in the order in which a renewal takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Asked for the lease, and it was not written.
    BeforeTheLease,
    /// The lease is written; the provider has not been asked.
    LeaseTaken,
    /// The provider's new refresh token has arrived and nothing of it is written.
    Received,
    /// It is durable; nobody here has heard of that.
    Stored,
    /// It is durable, and the access token was used.
    Used,
}

/// A process at the vault that lives until a step.
#[derive(Debug)]
struct Mortal {
    vault: Arc<Memory>,
    dies_at: Step,
    is_dead: std::sync::atomic::AtomicBool,
}

impl Mortal {
    fn new(vault: Arc<Memory>, dies_at: Step) -> Arc<Self> {
        Arc::new(Self { vault, dies_at, is_dead: false.into() })
    }

    /// Dies if its time has come; whoever is dead gets nothing done.
    fn reach(&self, step: Option<Step>) -> Result<(), VaultError> {
        if step == Some(self.dies_at) {
            self.is_dead.store(true, Ordering::SeqCst);
        }
        let is_dead = self.is_dead.load(Ordering::SeqCst);
        if is_dead { Err(VaultError::Storage("dead".into())) } else { Ok(()) }
    }
}

impl Vault for Mortal {
    fn prepare(&self) -> Result<(), VaultError> {
        self.vault.prepare()
    }

    fn get(&self, account: &AccountName) -> Result<Option<Stored>, VaultError> {
        self.reach(None)?;
        self.vault.get(account)
    }

    fn list(&self) -> Result<Vec<(AccountName, Facts)>, VaultError> {
        self.vault.list()
    }

    fn put(&self, name: &AccountName, record: &Record, at: Expected, holder: &Holder) -> Result<Written, VaultError> {
        self.reach(Some(Step::Received))?;
        let written = self.vault.put(name, record, at, holder)?;
        self.reach(Some(Step::Stored))?;
        Ok(written)
    }

    fn lease(&self, account: &AccountName, holder: &Holder, now: Timestamp) -> Result<Lease, VaultError> {
        self.reach(Some(Step::BeforeTheLease))?;
        let lease = self.vault.lease(account, holder, now)?;
        self.reach(Some(Step::LeaseTaken))?;
        Ok(lease)
    }

    fn give_back(&self, account: &AccountName, holder: &Holder, reply: Option<&Reply>) -> Result<(), VaultError> {
        self.reach(None)?;
        self.vault.give_back(account, holder, reply)
    }

    fn remove(&self, account: &AccountName, expected: Expected) -> Result<bool, VaultError> {
        self.vault.remove(account, expected)
    }

    fn bury(&self, owner: &Holder) -> Result<(), VaultError> {
        self.vault.bury(owner)
    }
}

#[tokio::test]
async fn killed_between_every_two_steps_the_account_works_or_is_held_with_its_old_token_intact() {
    for (step, calls_before, kept_then) in [
        (Step::BeforeTheLease, 0, "refresh-0"),
        (Step::LeaseTaken, 0, "refresh-0"),
        (Step::Received, 1, "refresh-0"),
        (Step::Stored, 1, "refresh-1"),
        (Step::Used, 1, "refresh-1"),
    ] {
        let office = Office::signed_in(Provider::open(3600).await);
        let before = office.keeper_with(office.provider.grant(), Mortal::new(office.vault.clone(), step));
        assert_eq!(before.credential().await.is_ok(), step == Step::Used, "{step:?}: used before it was durable");
        assert_eq!(office.provider.calls(), calls_before, "{step:?}");
        assert_eq!(office.refresh_token(), kept_then, "{step:?}");
        drop(before);

        office.vault.bury(&Holder::new(true)).unwrap();
        match (step, office.keeper().credential().await) {
            // The provider has ended the old one and nobody knows the new one: a person must sign in.
            (Step::Received, Err(failure)) => {
                assert_eq!(cause(&failure), Cause::Account);
                assert_eq!(office.refresh_token(), "refresh-0", "intact");
            }
            (Step::Stored | Step::Used, Ok(credential)) => {
                assert_eq!(secret(&credential), "access-1");
                assert_eq!(office.provider.calls(), 1, "{step:?}: what was stored is used");
            }
            (Step::BeforeTheLease | Step::LeaseTaken, Ok(credential)) => assert_eq!(secret(&credential), "access-1"),
            (step, other) => panic!("{step:?}: {other:?}"),
        }
    }
}

/// A vault whose disk is full while the flag is up.
#[derive(Debug)]
pub(crate) struct Full {
    pub vault: Arc<Memory>,
    pub is_full: std::sync::atomic::AtomicBool,
}

impl Vault for Full {
    fn prepare(&self) -> Result<(), VaultError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(VaultError::Storage("no space left".into()));
        }
        self.vault.prepare()
    }

    fn get(&self, account: &AccountName) -> Result<Option<Stored>, VaultError> {
        self.vault.get(account)
    }

    fn list(&self) -> Result<Vec<(AccountName, Facts)>, VaultError> {
        self.vault.list()
    }

    fn put(&self, name: &AccountName, record: &Record, at: Expected, holder: &Holder) -> Result<Written, VaultError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(VaultError::Storage("no space left on device".into()));
        }
        self.vault.put(name, record, at, holder)
    }

    fn lease(&self, account: &AccountName, holder: &Holder, now: Timestamp) -> Result<Lease, VaultError> {
        self.vault.lease(account, holder, now)
    }

    fn give_back(&self, account: &AccountName, holder: &Holder, reply: Option<&Reply>) -> Result<(), VaultError> {
        self.vault.give_back(account, holder, reply)
    }

    fn remove(&self, account: &AccountName, expected: Expected) -> Result<bool, VaultError> {
        self.vault.remove(account, expected)
    }

    fn bury(&self, owner: &Holder) -> Result<(), VaultError> {
        self.vault.bury(owner)
    }
}

/// An office whose disk fills up during a renewal, and the keeper that has the new tokens in its hands.
async fn full_disk() -> (Office, Arc<Full>, Arc<Keeper>) {
    let office = Office::signed_in(Provider::open(3600).await);
    let full = Arc::new(Full { vault: office.vault.clone(), is_full: true.into() });
    let keeper = office.keeper_with(office.provider.grant(), full.clone());
    (office, full, keeper)
}

#[tokio::test]
async fn tokens_that_cannot_be_stored_are_not_used_and_not_asked_for_again() {
    let (office, full, keeper) = full_disk().await;
    for _ in 0..3 {
        let failure = keeper.credential().await.unwrap_err();
        assert!(matches!(failure, Failure::Kept(KeptFailure::Storage { .. })), "{failure:?}");
        assert_eq!(cause(&failure), Cause::Network, "later, and no person need sign in");
        assert_eq!((office.provider.calls(), office.refresh_token().as_str()), (1, "refresh-0"));
    }
    full.is_full.store(false, Ordering::SeqCst);
    assert_eq!(secret(&ask(&keeper).await), "access-1");
    assert_eq!((office.provider.calls(), office.refresh_token().as_str()), (1, "refresh-1"));
}

#[tokio::test]
async fn a_sign_in_made_while_the_disk_was_full_wins() {
    let (office, full, keeper) = full_disk().await;
    assert!(keeper.credential().await.is_err());
    office.sign_in(3600);
    keeper.forget();
    full.is_full.store(false, Ordering::SeqCst);
    assert_eq!(secret(&ask(&keeper).await), "access-0");
    assert_eq!(office.refresh_token(), "refresh-0");
}

#[tokio::test]
async fn the_last_try_to_store_is_at_the_end_of_the_process() {
    let (office, full, keeper) = full_disk().await;
    assert!(keeper.credential().await.is_err());
    full.is_full.store(false, Ordering::SeqCst);
    keeper.store_received().await;
    assert_eq!(office.refresh_token(), "refresh-1");
}
