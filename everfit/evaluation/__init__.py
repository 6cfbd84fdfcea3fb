"""Is a candidate better than the champion, on days that neither was trained on?"""
