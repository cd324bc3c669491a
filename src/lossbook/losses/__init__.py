"""The losses of the book and the functions of their theory, in modules named as the
chapters.

Importing a name loads only the module it lives in, so a chapter depends on the losses
it uses and no others.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "linear_regression": ["SquaredError", "AbsoluteError"],
        "huber": ["HuberLoss"],
        "information": ["cross_entropy", "entropy", "kl_divergence"],
        "binary_classification": ["BinaryCrossEntropy", "sigmoid"],
        "multiclass_classification": ["CrossEntropy", "log_softmax", "softmax"],
        "weighted_cross_entropy": [
            "WeightedBinaryCrossEntropy",
            "WeightedCrossEntropy",
        ],
        "focal": ["BinaryFocalLoss", "FocalLoss"],
        "asymmetric": ["AsymmetricLoss"],
        "class_balanced": ["ClassBalancedLoss", "effective_number"],
        "logit_adjusted": ["LogitAdjustedLoss", "adjust_logits"],
    },
)
