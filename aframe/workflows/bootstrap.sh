# Sourced by law's job script, before the task is run. The names in double
# braces are replaced when the job is submitted.
{{aframe_exports}}
if [ "{{aframe_gpus}}" != 0 ]; then
    # The scheduler knows which devices are the job's.
    if [ -z "${CUDA_VISIBLE_DEVICES:-}" ]; then
        echo "the scheduler gave this job no GPU" >&2
        return 1
    fi
    LAW_JOB_TASK_PARAMS="${LAW_JOB_TASK_PARAMS} --gpus=${CUDA_VISIBLE_DEVICES}"
fi
