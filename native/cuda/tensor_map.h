// Descriptors for the tensor copies of Hopper.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace nf::cuda {

/// A matrix in tiles, each of n_pieces pieces of piece_bytes: a copy takes one piece of each of box_tiles tiles.
/// Throws device_lost where the driver has no such descriptors.
CUtensorMap map_of_tiles(const void* data, int n_pieces, int piece_bytes, int n_tiles, int box_tiles);

}  // namespace nf::cuda
