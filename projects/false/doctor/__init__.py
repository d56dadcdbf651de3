"""Diagnose an environment: report what is installed, what is wrong with it, and the command that fixes it.

Standard library only, and no syntax newer than Python 3.8: the doctor has to run where nothing else does.
"""
