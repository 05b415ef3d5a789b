# Sourced by the scripts that compile: lets ccache serve every checkout of the project on a machine from one cache.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
