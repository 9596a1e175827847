/* Everything up to target_pop.h may use the instruction set named by FBP_TARGET, and nothing
 * else of the library may: a wheel has to run on machines that lack it. MSVC accepts
 * intrinsics without a pragma; where instructions are emulated, no compiler may use the real ones. Include system
 * headers before this file. */
#ifdef FBP_EMULATED
#undef FBP_TARGET
#endif
#ifdef FBP_TARGET
#if defined(__clang__)
#define FBP_PRAGMA(x) _Pragma(#x)
#define FBP_PUSH(isa) \
    FBP_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
FBP_PUSH(FBP_TARGET)
#elif defined(__GNUC__)
#define FBP_PRAGMA(x) _Pragma(#x)
#define FBP_PUSH(isa) FBP_PRAGMA(GCC target(isa))
_Pragma("GCC push_options")
FBP_PUSH(FBP_TARGET)
#endif
#endif
