// SPDX-License-Identifier: MIT
//! parking_lot's Mutex and FairMutex as C functions over their raw forms.
//!
//! Both are one byte, free when it is zero. The pointers must be valid, and what is unlocked must
//! be held by the caller.

use lock_api::RawMutex as _;
use parking_lot::{RawFairMutex, RawMutex};

const _: () = assert!(std::mem::size_of::<RawMutex>() == 1);
const _: () = assert!(std::mem::size_of::<RawFairMutex>() == 1);

#[no_mangle]
pub unsafe extern "C" fn conch_parking_lot_lock(mutex: *const RawMutex) {
    (*mutex).lock();
}

#[no_mangle]
pub unsafe extern "C" fn conch_parking_lot_unlock(mutex: *const RawMutex) {
    (*mutex).unlock();
}

#[no_mangle]
pub unsafe extern "C" fn conch_parking_lot_fair_lock(mutex: *const RawFairMutex) {
    (*mutex).lock();
}

#[no_mangle]
pub unsafe extern "C" fn conch_parking_lot_fair_unlock(mutex: *const RawFairMutex) {
    (*mutex).unlock();
}
