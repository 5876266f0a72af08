# Enables CUDA for the whole project: included by native/CMakeLists.txt, since every target that links nf_cuda needs it.
#   NF_CUDA_ARCHS=90a;80   architectures to compile: "a-real" machine code for 90a, machine code and PTX for 80 (default)
#   NF_CUDA_ARCHS=all      everything that is shipped
set(NF_CUDA_ARCHS "dev" CACHE STRING "dev, all, or a CMake CUDA_ARCHITECTURES list")
if(NF_CUDA_ARCHS STREQUAL "dev")
  set(CMAKE_CUDA_ARCHITECTURES 90a-real 80)
elseif(NF_CUDA_ARCHS STREQUAL "all")
  # Turing (75) lacks bf16 matrix instructions and is refused at run time with a clear error.
  set(CMAKE_CUDA_ARCHITECTURES 80 86-real 89-real 90a-real 100-real 120)
else()
  set(CMAKE_CUDA_ARCHITECTURES ${NF_CUDA_ARCHS})
endif()
if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${NF_NVCC})
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
enable_language(CUDA)
# CMake 3.25, Debian 12's, does not know how nvcc 13 is asked for C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
