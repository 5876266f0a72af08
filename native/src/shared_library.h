// A shared library opened by name at run time.
#pragma once

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace nf {

/// Empty when the library is not there.
class SharedLibrary {
 public:
  explicit SharedLibrary(const char* name) {
#ifdef _WIN32
    handle_ = reinterpret_cast<void*>(LoadLibraryA(name));
#else
    handle_ = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
#endif
  }
  ~SharedLibrary() {
    if (!handle_) return;
#ifdef _WIN32
    FreeLibrary(reinterpret_cast<HMODULE>(handle_));
#else
    dlclose(handle_);
#endif
  }
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  /// Null when the library or the symbol is not there.
  template <class Function>
  Function* find(const char* symbol) const {
    if (!handle_) return nullptr;
#ifdef _WIN32
    return reinterpret_cast<Function*>(GetProcAddress(reinterpret_cast<HMODULE>(handle_), symbol));
#else
    return reinterpret_cast<Function*>(dlsym(handle_, symbol));
#endif
  }

 private:
  void* handle_ = nullptr;
};

#ifdef _WIN32
inline constexpr const char *driver_library = "nvcuda.dll", *management_library = "nvml.dll";
#else
inline constexpr const char *driver_library = "libcuda.so.1", *management_library = "libnvidia-ml.so.1";
#endif

}  // namespace nf
