// sLSTM: an LSTM with exponential gates, a normaliser n and a stabiliser m; states h, c, n, m; gates i, f, g, o. The gradient of the
// stabiliser is kept too: a state may be read by anyone.
#pragma once
#include "steprows.h"

namespace saiki::SAIKI_ISA {

// exp(x) of x <= 0, exactly 0 where float32 or float64 has no normal number.
template <class T, class V = Vec<T>> SAIKI_INLINE V exp_below(V x) {
  const V low = V{} + Simd<T>::lowest;
  const Power<T> e = power<T>(x < low ? low : x);
  return x < low ? V{} : e.scale + e.scale * e.p;
}

// log σ(x) = min(x, 0) - log(1 + exp(-|x|)), with log(1 + e) = 2 artanh(e / (2 + e)), a series in at most 1/9; shut = σ(-x).
template <class T, class V = Vec<T>> SAIKI_INLINE V log_sigmoid(V x, V& shut) {
  const V e = exp_below<T>(minus_abs<T>(x)), s = e / (T(2) + e), q = s * s;
  shut = (x < V{} ? V{} + T(1) : e) / (T(1) + e);
  constexpr int terms = sizeof(T) == 4 ? 8 : 17;
  V sum = V{} + T(1) / T(2 * terms + 1);
  for (int i = terms - 1; i >= 0; --i) sum = sum * q + T(1) / T(2 * i + 1);
  return (x < V{} ? x : V{}) - T(2) * s * sum;
}

template <class T> struct Slstm {
  using Scalar = T;
  using V = Vec<T>;
  static constexpr int states = 4, outputs = 1, vectors = 0;
  static constexpr bool holds = true, direct = false, sees = false;
  // Before: C0, N0, M0; Lead: of the past over i in m; Shut: σ(-f~). Both m are of use to zoneout alone.
  enum { C0, N0, Lead, G, O, Shut, M0, Plain = M0, M, Parts };
  static long kept(const Steps& c) { return (c.zones ? Parts : Plain) * c.width; }

  // i and f, of which one is 1, by the lead.
  struct Gates {
    V i, f;
    explicit SAIKI_INLINE Gates(V lead) {
      const V one = V{} + T(1), less = exp_below<T>(minus_abs<T>(lead));
      i = lead <= V{} ? one : less, f = lead >= V{} ? one : less;
    }
  };

  static void forward(const StepRows<T>& s) {
    const long w = s.call.width;
    s.recur(0, 0);
    for (long j = 0; j < s.n; ++j) {
      const T *x = s.x(j), *r = s.result(j);
      T *h = s.state(0, j), *c = s.state(1, j), *n = s.state(2, j), *m = s.state(3, j), *kept = s.kept(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto sum = [&](int gate) SAIKI_LAMBDA { return load(x + gate * w + u, left) + load(r + gate * w + u, left); };
        auto keep = [&](int part, V v) SAIKI_LAMBDA { store(kept + part * w + u, v, left); };
        const V log_i = sum(0), to_f = sum(1), g = tanh<T>(sum(2)), o = sigmoid<T>(sum(3));
        const V c0 = load(c + u, left), n0 = load(n + u, left), m0 = load(m + u, left);
        V shut;
        const V past = log_sigmoid<T>(to_f, shut) + m0, top = past < log_i ? log_i : past, lead = past - log_i;
        const Gates k(lead);
        const V c1 = k.f * c0 + k.i * g, n1 = k.f * n0 + k.i;
        store(c + u, c1, left), store(n + u, n1, left), store(m + u, top, left), store(h + u, o * c1 / n1, left);
        keep(C0, c0), keep(N0, n0), keep(Lead, lead), keep(G, g), keep(O, o), keep(Shut, shut);
        if (s.call.zones) keep(M0, m0), keep(M, top);
      });
    }
  }

  static void backward(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T* kept = s.kept(j);
      T *dh = s.dstate(0, j), *dc = s.dstate(1, j), *dn = s.dstate(2, j), *dm = s.dstate(3, j), *dx = s.dx(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto of = [&](int part) SAIKI_LAMBDA { return load(kept + part * w + u, left); };
        const V lead = of(Lead), g = of(G), o = of(O), d = load(dh + u, left);
        const Gates k(lead);
        const V i = k.i, f = k.f, n1 = f * of(N0) + i, up = (f * of(C0) + i * g) / n1, share_of_n = d * o / n1;
        const V to_c = load(dc + u, left) + share_of_n, to_n = load(dn + u, left) - share_of_n * up;
        const V past = f * (to_c * of(C0) + to_n * of(N0)), fresh = i * (to_c * g + to_n), rest = load(dm + u, left) - past - fresh;
        const V half = V{} + T(0.5), one = V{} + T(1), share = lead > V{} ? one : lead < V{} ? V{} : half;
        const V to_past = past + share * rest;
        store(dx + u, fresh + (T(1) - share) * rest, left);
        store(dx + w + u, to_past * of(Shut), left);
        store(dx + 2 * w + u, to_c * i * (T(1) - g * g), left);
        store(dx + 3 * w + u, d * up * o * (T(1) - o), left);
        store(dh + u, V{}, left), store(dc + u, to_c * f, left), store(dn + u, to_n * f, left), store(dm + u, to_past, left);
      });
    }
    s.recur_back(0, 0);
  }

  // Zoneout of c and n after bringing them to one scale m: the larger of both, where both have a share.
  struct Scales {
    V m, grown, stayed, ahead, behind;  // ahead: of the new m over m, at most 0; behind: of the old one
  };
  static SAIKI_INLINE Scales scales(V share, V now, V old) {
    const V one = V{} + T(1), most = now < old ? old : now;
    Scales s;
    s.m = share == V{} ? now : share == one ? old : most;
    s.ahead = now - s.m, s.behind = old - s.m;
    s.grown = exp_below<T>(s.ahead > V{} ? V{} : s.ahead) * (one - share);
    s.stayed = exp_below<T>(s.behind > V{} ? V{} : s.behind) * share;
    return s;
  }

  static void hold(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T *z = s.zones(j), *old = s.carry(j);
      T *h = s.state(0, j), *c = s.state(1, j), *n = s.state(2, j), *m = s.state(3, j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        const V fresh = load(h + u, left);
        store(h + u, fresh + load(z + u, left) * (load(old + u, left) - fresh), left);
        const Scales k = scales(load(z + w + u, left), load(m + u, left), load(old + 3 * w + u, left));
        store(c + u, k.grown * load(c + u, left) + k.stayed * load(old + w + u, left), left);
        store(n + u, k.grown * load(n + u, left) + k.stayed * load(old + 2 * w + u, left), left);
        store(m + u, k.m, left);
      });
    }
  }

  static void hold_back(const StepRows<T>& s) {
    const long w = s.call.width;
    for (long j = 0; j < s.n; ++j) {
      const T *z = s.zones(j), *kept = s.kept(j);
      T *dh = s.dstate(0, j), *dc = s.dstate(1, j), *dn = s.dstate(2, j), *dm = s.dstate(3, j), *carry = s.carry(j);
      each_unit<T>(w, [&](long u, long left) SAIKI_LAMBDA {
        auto of = [&](int part) SAIKI_LAMBDA { return load(kept + part * w + u, left); };
        const V d = load(dh + u, left), stays = d * load(z + u, left);
        store(carry + u, stays, left), store(dh + u, d - stays, left);
        const V share = load(z + w + u, left), now = of(M), old = of(M0), to_c = load(dc + u, left), to_n = load(dn + u, left);
        const Scales k = scales(share, now, old);
        const V one = V{} + T(1), half = V{} + T(0.5);
        const Gates gates(of(Lead));
        const V c1 = gates.f * of(C0) + gates.i * of(G), n1 = gates.f * of(N0) + gates.i;
        const V grows = k.ahead > V{} ? V{} : k.grown * (to_c * c1 + to_n * n1);
        const V holds = k.behind > V{} ? V{} : k.stayed * (to_c * of(C0) + to_n * of(N0));
        const V top = load(dm + u, left) - grows - holds;
        const V larger = now > old ? one : now < old ? V{} : half, part = share == V{} ? one : share == one ? V{} : larger;
        store(dm + u, grows + part * top, left), store(carry + 3 * w + u, holds + (one - part) * top, left);
        store(dc + u, to_c * k.grown, left), store(carry + w + u, to_c * k.stayed, left);
        store(dn + u, to_n * k.grown, left), store(carry + 2 * w + u, to_n * k.stayed, left);
      });
    }
  }
};

}  // namespace saiki::SAIKI_ISA
