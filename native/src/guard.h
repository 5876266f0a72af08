// Keeps the promise that only EngineError leaves the library.
#pragma once

#include <exception>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "nf/engine.h"

namespace nf {

/// Runs `work` and turns every other exception into an EngineError.
template <class Work>
auto guarded(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const EngineError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw EngineError(ErrorCode::out_of_memory, "out of memory; choose a smaller context or a smaller weight format");
  } catch (const std::length_error&) {
    throw EngineError(ErrorCode::out_of_memory, "a buffer would be larger than memory can hold");
  } catch (const std::filesystem::filesystem_error& error) {
    throw EngineError(ErrorCode::bad_model, error.what());
  } catch (const std::exception& error) {
    throw EngineError(ErrorCode::device_lost,
                      std::string("the engine failed unexpectedly; load the model again: ") + error.what());
  } catch (...) {
    throw EngineError(ErrorCode::device_lost, "the engine failed unexpectedly; load the model again");
  }
}

}  // namespace nf
