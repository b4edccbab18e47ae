#pragma once

#include <reprise/reprise.h>

#include <functional>
#include <map>

/// Makes a model for images [C, H, W].
using MakeModel =
    std::function<reprise::SymbolicModel(const reprise::Shape& image, int64_t classes)>;

/// What can be trained, by name.
const std::map<std::string, MakeModel>& known_models();
