#pragma once

#include <reprise/reprise.h>

/// The model of that name (toy_resnet, net or mlp) for images [C, H, W].
reprise::SymbolicModel make_model(const std::string& name, const reprise::Shape& image,
                                  int64_t classes);
