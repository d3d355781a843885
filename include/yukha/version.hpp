// The library's version. CMake reads it from here; nothing else repeats it.
#ifndef YUKHA_VERSION_HPP
#define YUKHA_VERSION_HPP

#define YUKHA_VERSION "0.1.0"

#endif  // YUKHA_VERSION_HPP
