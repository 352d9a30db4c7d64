# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of methods/models in PyTorch, with the same names for the same parameters."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional


def convolution(inputs, outputs, kernel, stride=1, groups=1):
    """Without bias, N(0, sqrt(2 / (kernel positions * outputs))) as He et al. 2016."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.normal_(layer.weight, 0, (2 / (kernel * kernel * outputs)) ** 0.5)
    return layer


class Block(nn.Module):
    """Two convolutions beside a shortcut that takes every stride-th position and adds channels of zeros, half of them
    before and half after (option A of He et al. 2016)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = convolution(inputs, outputs, 3, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.stride > 1 or self.added:
            x = functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.added, self.added))
        return functional.relu(y + x)


class CifarResNet(nn.Module):
    """ResNet of 6 blocks + 2 layers for 32 x 32 images."""

    def __init__(self, blocks, classes):
        super().__init__()
        self.conv1 = convolution(3, 16, 3)
        self.norm1 = nn.BatchNorm2d(16)
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64), 1):
            rows = OrderedDict()
            for block in range(1, blocks + 1):
                rows[f"block{block}"] = Block(inputs, outputs, 2 if stage > 1 and block == 1 else 1)
                inputs = outputs
            self.add_module(f"stage{stage}", nn.Sequential(rows))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = functional.relu(self.norm1(self.conv1(x)))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.fc(x.mean((2, 3)))


class InvertedResidual(nn.Module):
    """Sandler et al. 2018: expand, depthwise, project."""

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        inner = inputs * expansion
        rows = [convolution(inputs, inner, 1), nn.BatchNorm2d(inner), nn.ReLU6()] if expansion > 1 else []
        rows += [convolution(inner, inner, 3, stride, inner), nn.BatchNorm2d(inner), nn.ReLU6(),
                 convolution(inner, outputs, 1), nn.BatchNorm2d(outputs)]
        self.rows = nn.Sequential(*rows)
        self.joined = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.rows(x) if self.joined else self.rows(x)


class CifarMobileNetV2(nn.Module):
    """MobileNetV2 for 32 x 32 images: stem and second stage keep the size."""

    # expansion, channels, blocks, stride of the first
    stages = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, classes):
        super().__init__()
        rows, inputs = [convolution(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU6()], 32
        for expansion, outputs, blocks, stride in self.stages:
            for block in range(blocks):
                rows.append(InvertedResidual(inputs, outputs, stride if block == 0 else 1, expansion))
                inputs = outputs
        rows += [convolution(inputs, 1280, 1), nn.BatchNorm2d(1280), nn.ReLU6()]
        self.rows, self.fc = nn.Sequential(*rows), nn.Linear(1280, classes)

    def forward(self, x):
        return self.fc(self.rows(x).mean((2, 3)))


def mlp(classes):
    rows = [nn.Flatten()]
    for inputs, outputs in ((784, 512), (512, 256)):
        rows += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*rows, nn.Linear(256, classes))


# name: (shape of a sample, how to make it for so many classes)
networks = {
    "mlp": ((1, 28, 28), mlp),
    "resnet20": ((3, 32, 32), lambda classes: CifarResNet(3, classes)),
    "resnet32": ((3, 32, 32), lambda classes: CifarResNet(5, classes)),
    "mobilenetv2": ((3, 32, 32), CifarMobileNetV2),
}


def decaying_groups(network, weight_decay):
    """Parameters for SGD: weight decay acts on the weights of layers only."""
    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    weights = [layer.weight for layer in layers]
    others = [p for p in network.parameters() if all(p is not weight for weight in weights)]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def load_weights(network, arrays):
    """Sets the parameters from bitsweep's arrays by name: a layer's weight is outputs x inputs, the inputs of a convolution in
    the order kernel row, kernel column, channel; batch normalisation has scale and shift. Every parameter must be there."""
    translated = {"weight": ("weight", "scale"), "bias": ("bias", "shift")}
    for name, module in network.named_modules():
        norm = isinstance(module, nn.BatchNorm2d)
        for own, parameter in module.named_parameters(recurse=False):
            key = f"{name}.{translated[own][norm]}"
            if key not in arrays:
                raise KeyError(key)
            values = torch.as_tensor(arrays[key], dtype=torch.float32)
            if isinstance(module, nn.Conv2d) and own == "weight":
                outputs, inputs, height, width = parameter.shape
                values = values.reshape(outputs, height, width, inputs).permute(0, 3, 1, 2)
            with torch.no_grad():
                parameter.copy_(values.reshape(parameter.shape))
