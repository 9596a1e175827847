/* The end of what target_push.h began. */
#ifdef FBP_TARGET
#if defined(__clang__)
_Pragma("clang attribute pop")
#elif defined(__GNUC__)
_Pragma("GCC pop_options")
#endif
#endif
