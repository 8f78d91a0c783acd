"""Reports that compare runs: what does reconstruction cost in KL?"""
