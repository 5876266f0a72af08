// Draws a token by temperature, top-k, top-p and min-p: the algorithm of draw_kernel, written for any group of blocks
// of threads, so that tests run it on the CPU. It follows native/src/sampler.h: top-k, then top-p of what that left,
// then min-p; all three keep a prefix of the tokens in order of their keys, of equal ones the lower first. The token
// is the one at the random share of the kept mass, in order of the tokens.
//
// The cut is found by histograms of the keys, most significant bits first. Each thread owns a bin.
#pragma once

#include "draw_keys.h"
#include "random.h"

namespace nf::cuda {

/// How many tokens, and their mass.
struct Amount {
  std::uint64_t count = 0, mass = 0;
  NF_EVERYWHERE Amount& operator+=(const Amount& other) {
    count += other.count, mass += other.mass;
    return *this;
  }
};

/// Keys of the same upper bits, and what lies before them.
struct Found {
  std::uint32_t prefix;
  Amount before;
};

template <int BITS>
struct Histogram {
  std::uint32_t count[1 << BITS], low[1 << BITS], high[1 << BITS];  // mass: high 2^32 + low
};

/// What the blocks of a group see of each other.
template <int BITS>
struct DrawShared {
  Histogram<BITS> histograms[2];  // in turns: while one is read, the other is emptied
  Amount totals[2];               // of the block's threads
  std::uint32_t largest;          // of the block
  Found found;                    // the same in every block
};

/// What the thread that holds the drawn token gets; `token` is -1 in all others.
struct Drawn {
  int token = -1;
  float logprob = 0;    // of the model: before temperature and filters
  bool failed = false;  // a logit, or the largest, is not a finite number; the same in every thread
};

/// One thread's part. A Group has:
///   bits                             a block has 2^bits threads; divides key_bits
///   thread(), block(), n_blocks()
///   sync(), sync_all()               barriers of the block, of the group
///   of(shared, block)                another block's DrawShared
///   add(uint32&, uint32) -> uint32   atomic within the block; returns what was there
///   largest(uint32) -> uint32        over the block's threads
///   before(Amount, total) -> Amount  sum over the lower threads of the block, and over all of them
template <class Group>
class Draw {
 public:
  static constexpr int bits = Group::bits, n_threads = 1 << bits;
  static_assert(key_bits % bits == 0);
  using Shared = DrawShared<bits>;

  /// logits [n], on 16 bytes, n at most max_draw_vocab.
  NF_EVERYWHERE Draw(const Group& group, Shared& shared, const float* logits, int n, const DrawSettings& settings)
      : g_(group), shared_(shared), logits_(logits), n_(n), s_(settings) {
    const int n_all = g_.n_blocks() * n_threads;
    n_vectors_ = (n + 3) / 4;
    per_thread_ = (n_vectors_ + n_all - 1) / n_all;
  }

  /// Ends with a barrier: nobody leaves while others read its memory.
  NF_EVERYWHERE Drawn run(std::uint64_t position) {
    for (int i = 0; i < 2; ++i) empty(shared_.histograms[i]);
    const std::uint32_t best = largest_logit();
    if (best == not_finite) {
      g_.sync_all();
      return {-1, 0, true};
    }
    largest_ = number_of(best);
    const std::uint64_t raw = first_pass();
    const Cut cut = s_.top_k > 0 || s_.top_p > 0 ? find_cut() : Cut{too_light - 1, ~std::uint64_t{0}, 0};
    const Drawn drawn = draw(s_.last_key < cut.key ? Cut{s_.last_key, ~std::uint64_t{0}, 0} : cut, raw, position);
    g_.sync_all();
    return drawn;
  }

 private:
  static constexpr std::uint32_t not_finite = 0xffffffffu;

  /// Keeps what is before `key`, and the first n_ties tokens that have it.
  struct Cut {
    std::uint32_t key;
    std::uint64_t n_ties;
    std::uint64_t mass;  // kept
  };

  // ---- passes over the logits, four tokens at a time ------------------------------------------------------------

  NF_EVERYWHERE int index() const { return g_.block() * n_threads + g_.thread(); }

  NF_EVERYWHERE void load(int vector, float (&x)[4]) const {
    const int first = 4 * vector;
    if (first + 4 <= n_) {
#ifdef __CUDA_ARCH__
      const float4 four = __ldg(reinterpret_cast<const float4*>(logits_) + vector);
      x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
#else
      for (int i = 0; i < 4; ++i) x[i] = logits_[first + i];
#endif
    } else {
      for (int i = 0; i < 4; ++i) x[i] = first + i < n_ ? logits_[first + i] : 0.0f;
    }
  }

  /// Calls work(token, logit) for the vectors first, first + step, ... of this thread, the next of which is on its way
  /// meanwhile. One copy of the work: code that runs once per token is fetched anew each time.
  template <class Work>
  NF_EVERYWHERE void visit(int first, int step, const Work& work) const {
    float next[4] = {};
    if (first < n_vectors_) load(first, next);
    NF_ROLLED
    for (int i = 0, vector = first; i < per_thread_ && vector < n_vectors_; ++i, vector += step) {
      float x[4] = {next[0], next[1], next[2], next[3]};
      if (i + 1 < per_thread_ && vector + step < n_vectors_) load(vector + step, next);
      const int end = n_ - 4 * vector < 4 ? n_ - 4 * vector : 4;
      NF_ROLLED
      for (int j = 0; j < end; ++j) {
        work(4 * vector + j, x[0]);
        x[0] = x[1], x[1] = x[2], x[2] = x[3];
      }
    }
  }
  /// Neighbouring threads look at neighbouring tokens: for what does not depend on the order.
  template <class Work>
  NF_EVERYWHERE void visit_any(const Work& work) const {
    visit(index(), g_.n_blocks() * n_threads, work);
  }
  /// Each thread looks at a run of tokens, and these follow one another.
  template <class Work>
  NF_EVERYWHERE void visit_run(const Work& work) const {
    visit(index() * per_thread_, 1, work);
  }

  /// As ordered_bits(); not_finite when a logit is NaN or plus infinity, or all are minus infinity.
  NF_EVERYWHERE std::uint32_t largest_logit() {
    std::uint32_t best = 0;
    visit_any([&](int, float x) {
      const std::uint32_t here = x < INFINITY ? ordered_bits(x) : not_finite;
      if (here > best) best = here;
    });
    const std::uint32_t of_block = g_.largest(best);
    if (g_.thread() == 0) shared_.largest = of_block;
    g_.sync_all();
    std::uint32_t largest = 0;
    NF_ROLLED
    for (int b = 0; b < g_.n_blocks(); ++b) {
      const std::uint32_t other = g_.of(shared_, b).largest;
      if (other > largest) largest = other;
    }
    return largest <= ordered_bits(-INFINITY) ? not_finite : largest;
  }

  /// Adds up exp(logit - largest) of this thread's tokens; counts the first bits of their keys if filters ask for it.
  NF_EVERYWHERE std::uint64_t first_pass() {
    std::uint64_t raw = 0;
    const bool filters = s_.top_k > 0 || s_.top_p > 0;
    visit_any([&](int, float x) {
      const std::uint32_t plain = key_of(x, largest_, 1.0f);
      const std::uint64_t mass = plain < too_light ? mass_of(plain) : 0;
      raw += mass;
      if (!filters) return;
      const std::uint32_t key = s_.scale == 1.0f ? plain : key_of(x, largest_, s_.scale);
      if (key < too_light) count(key >> (key_bits - bits), s_.scale == 1.0f || s_.top_p == 0 ? mass : mass_of(key));
    });
    return raw;
  }

  // ---- histograms -----------------------------------------------------------------------------------------------

  NF_EVERYWHERE void empty(Histogram<bits>& h) { h.count[g_.thread()] = h.low[g_.thread()] = h.high[g_.thread()] = 0; }

  NF_EVERYWHERE void count(std::uint32_t bin, std::uint64_t mass) {
    Histogram<bits>& h = shared_.histograms[n_read_ % 2];
    if (s_.top_k > 0) g_.add(h.count[bin], 1);
    if (s_.top_p == 0) return;
    const auto low = static_cast<std::uint32_t>(mass);
    auto high = static_cast<std::uint32_t>(mass >> 32);
    if (g_.add(h.low[bin], low) > ~low) ++high;
    if (high > 0) g_.add(h.high[bin], high);
  }

  /// Once every thread has counted: what this thread's bin holds over all blocks, and what the bins before it do.
  /// Returns the sum of all bins.
  NF_EVERYWHERE Amount read_histogram(Amount& mine, Amount& before) {
    g_.sync_all();
    mine = {};
    NF_ROLLED
    for (int b = 0; b < g_.n_blocks(); ++b) {
      const Histogram<bits>& h = g_.of(shared_, b).histograms[n_read_ % 2];
      const int bin = g_.thread();
      mine += {h.count[bin], (std::uint64_t{h.high[bin]} << 32) + h.low[bin]};
    }
    ++n_read_;
    // Everybody has read the other one; the barriers of before() stand between this and the next count.
    if (n_read_ > 1) empty(shared_.histograms[n_read_ % 2]);
    Amount total;
    before = g_.before(mine, total);
    return total;
  }

  // ---- the cut --------------------------------------------------------------------------------------------------

  NF_EVERYWHERE Cut find_cut() {
    Amount mine, before;
    const Amount total = read_histogram(mine, before);
    Cut cut{0, 0, total.mass};
    NF_ROLLED
    for (int filter = 0; filter < 2; ++filter) {
      const bool by_mass = filter == 1;
      const std::uint64_t k = s_.top_k < total.count ? s_.top_k : total.count, p = mul_high(s_.top_p, cut.mass);
      if (by_mass ? s_.top_p > 0 : k > 0) cut = select(by_mass ? (p > 0 ? p : 1) : k, by_mass, mine, before);
    }
    return cut;
  }

  /// The shortest prefix of all tokens of at least `wanted` tokens or mass, which is between 1 and what there is.
  /// `mine`, `before`: of the histogram of the first bits.
  NF_EVERYWHERE Cut select(std::uint64_t wanted, bool by_mass, Amount mine, Amount before) {
    Found found{};
    NF_ROLLED
    for (int n_known = 0;;) {
      before += found.before;
      const std::uint64_t begin = by_mass ? before.mass : before.count;
      if (begin < wanted && wanted - begin <= (by_mass ? mine.mass : mine.count)) {
        shared_.found = {found.prefix << bits | static_cast<std::uint32_t>(g_.thread()), before};
      }
      g_.sync();
      found = shared_.found;
      n_known += bits;
      if (n_known == key_bits) break;
      // Written again only behind the barriers of read_histogram().
      const int n_left = key_bits - n_known;
      visit_any([&](int, float x) {
        const std::uint32_t key = key_of(x, largest_, s_.scale);
        if (key >> n_left != found.prefix) return;
        count(key >> (n_left - bits) & (n_threads - 1), s_.top_p > 0 ? mass_of(key) : 0);
      });
      read_histogram(mine, before);
    }
    g_.sync();  // the next select() writes `found` again
    const std::uint64_t each = mass_of(found.prefix);
    const std::uint64_t left = wanted - (by_mass ? found.before.mass : found.before.count);
    const std::uint64_t n_ties = by_mass ? (left + each - 1) / each : left;
    return {found.prefix, n_ties, found.before.mass + n_ties * each};
  }

  // ---- the draw -------------------------------------------------------------------------------------------------

  /// Sum over the lower threads of the group, and over all.
  NF_EVERYWHERE Amount before_in_group(Amount mine, Amount& total, int place) {
    Amount of_block;
    Amount before = g_.before(mine, of_block);
    if (g_.thread() == 0) shared_.totals[place] = of_block;
    g_.sync_all();
    total = {};
    NF_ROLLED
    for (int b = 0; b < g_.n_blocks(); ++b) {
      const Amount other = g_.of(shared_, b).totals[place];
      if (b < g_.block()) before += other;
      total += other;
    }
    return before;
  }

  NF_EVERYWHERE Drawn draw(const Cut& cut, std::uint64_t raw, std::uint64_t position) {
    std::uint64_t n_ties = 0, mass = 0;
    visit_run([&](int, float x) {
      const std::uint32_t key = key_of(x, largest_, s_.scale);
      if (key < cut.key) mass += mass_of(key);
      if (key == cut.key) ++n_ties;
    });
    Amount total;
    const std::uint64_t ties_before = before_in_group({n_ties, raw}, total, 0).count;
    const std::uint64_t raw_total = total.mass;
    const std::uint64_t ties_left = cut.n_ties > ties_before ? cut.n_ties - ties_before : 0;
    const std::uint64_t n_kept = n_ties < ties_left ? n_ties : ties_left;
    mass += n_kept * mass_of(cut.key);
    const std::uint64_t begin = before_in_group({0, mass}, total, 1).mass;
    const std::uint64_t place = mul_high(random_bits_at(s_.seed, position) << 11, total.mass);
    Drawn drawn;
    if (place < begin || place - begin >= mass) return drawn;
    std::uint64_t left = place - begin, ties = n_kept;
    visit_run([&](int token, float x) {
      const std::uint32_t key = key_of(x, largest_, s_.scale);
      if (drawn.token >= 0 || key > cut.key || (key == cut.key && ties == 0)) return;
      if (key == cut.key) --ties;
      const std::uint64_t here = mass_of(key);
      if (left < here) {
        drawn.token = token;
        drawn.logprob = x - largest_ - std::log(static_cast<float>(raw_total) * 0x1p-44f);
      } else {
        left -= here;
      }
    });
    return drawn;
  }

  const Group& g_;
  Shared& shared_;
  const float* logits_;
  const int n_;
  const DrawSettings s_;
  int n_vectors_, per_thread_;
  float largest_ = 0;
  int n_read_ = 0;  // histograms
};

}  // namespace nf::cuda
