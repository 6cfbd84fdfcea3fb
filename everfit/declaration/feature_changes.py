"""What has changed between the features of a version and those that are declared now."""

from everfit.declaration.views import Features


def feature_changes(before: Features, now: Features) -> str:
    """The features that are gone, new, or of another kind, in words; empty where the same remain, in whatever order.

    A feature that was renamed is one less and one more, for nothing says that the two mean the same.
    """
    kinds, declared = dict(before), dict(now)
    gone, new = [name for name in kinds if name not in declared], [name for name in declared if name not in kinds]
    other = [name for name in kinds if declared.get(name, kinds[name]) != kinds[name]]
    changed = [f"{name} ({kinds[name]}, now {declared[name]})" for name in other]
    all_changes = (("less", gone), ("more", new), ("of another kind", changed))
    said = [f"{what} {', '.join(names)}" for what, names in all_changes if names]
    renamed = " (a renamed feature is one less and one more: it starts anew under its new name)" if gone and new else ""
    return "; ".join(said) + renamed
