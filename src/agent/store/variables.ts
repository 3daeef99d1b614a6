/** Variables with etcd's user and password, from the Secret of spec.target.auth. The operator imports them too. */
export const userVariable = 'ETCD_BACKUP_USERNAME';
export const passwordVariable = 'ETCD_BACKUP_PASSWORD';
