// SPDX-License-Identifier: MIT

#include "view.hpp"

/// The name of the function by which this library shows itself: each is built from this one file.
extern "C" CONCH_TEST_EXPORT const view* CONCH_TEST_VIEW();
extern "C" CONCH_TEST_EXPORT const view* CONCH_TEST_VIEW() { return view_from_here(); }
