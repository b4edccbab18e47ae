#pragma once

#include <gtest/gtest.h>

#include <string>

#include "../../core/error.h"

namespace reprise::testing {

/// `f` must throw a reprise::Error of that kind whose text holds `part`.
template <class F>
void expect_error(ErrorKind kind, const std::string& part, F f) {
  try {
    f();
    ADD_FAILURE() << "expected an error with \"" << part << '"';
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

}  // namespace reprise::testing
