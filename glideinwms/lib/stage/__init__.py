"""The stage (web) area: deployed file formats, content names, signature chains, add-only
publication, pruning.
"""
